import { keyOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { type AnyRoute, gatewayGroup, type ParentReference } from './gateway-api.ts'
import { type HostPattern, intersect, parseHost } from './host.ts'
import { allowsNamespace, type GatewayState, type ListenerState } from './listeners.ts'
import { perObject } from './remember.ts'
import type { Sources } from './sources.ts'
import { type Verdict, verdict } from './verdict.ts'

/** A route at one of its parents that is ours. */
export interface Attachment {
  readonly parentRef: ParentReference
  readonly gateway: GatewayState
  /** The listeners that take it, with the hosts that both mean. */
  readonly at: readonly { readonly listener: ListenerState; readonly hosts: readonly HostPattern[] }[]
  accepted: Verdict
}

/** Finds each parent that a route names among the Gateways of ours and their ListenerSets; parents of others are left out. */
export function attach(
  route: AnyRoute,
  kind: string,
  gateways: readonly GatewayState[],
  sources: Pick<Sources, 'namespaces'>,
): Attachment[] {
  return (route.spec?.parentRefs ?? []).flatMap((parentRef): Attachment[] => {
    const found = findParent(parentRef, route.metadata.namespace ?? '', gateways)
    if (found === undefined) return []
    const { gateway, listeners } = found
    const base = { parentRef, gateway, at: [] }
    const { sectionName, port } = parentRef
    const named = listeners.filter(
      ({ spec }) =>
        (sectionName === undefined || spec.name === sectionName) && (port === undefined || spec.port === port),
    )
    if (named.length === 0)
      return [{ ...base, accepted: verdict(false, 'NoMatchingParent', 'the parent has no such listener') }]
    const allowing = named.filter((listener) => allows(listener, route, kind, sources))
    if (allowing.length === 0) {
      const says = `no listener takes a ${kind} of namespace ${route.metadata.namespace}`
      return [{ ...base, accepted: verdict(false, 'NotAllowedByListeners', says) }]
    }
    const at = allowing
      .filter(({ accepted }) => accepted.ok)
      .map((listener) => ({ listener, hosts: sharedHosts(listener, hostsOf(route)) }))
      .filter(({ hosts }) => hosts.length > 0)
    if (at.length === 0) {
      if (allowing.every(({ accepted }) => !accepted.ok))
        return [{ ...base, accepted: verdict(false, 'NoMatchingParent', 'the listener itself is not accepted') }]
      const says = 'no hostname of the route is one of the listeners’'
      return [{ ...base, accepted: verdict(false, 'NoMatchingListenerHostname', says) }]
    }
    for (const { listener } of at) listener.attached.add(`${kind}/${keyOf(route)}`)
    return [{ ...base, at, accepted: verdict(true, 'Accepted', 'the route is served') }]
  })
}

/** A Gateway stands for its own listeners alone, a ListenerSet for its. */
function findParent(
  { group = gatewayGroup, kind = 'Gateway', name, namespace }: ParentReference,
  own: string,
  gateways: readonly GatewayState[],
): { gateway: GatewayState; listeners: readonly ListenerState[] } | undefined {
  if (group !== gatewayGroup) return undefined
  const isNamed = ({ metadata }: KubeObject): boolean =>
    metadata.name === name && metadata.namespace === (namespace ?? own)
  for (const gateway of gateways) {
    const owner =
      kind === 'Gateway'
        ? [gateway.gateway].find(isNamed)
        : kind === 'ListenerSet'
          ? gateway.sets.find(({ set }) => isNamed(set))?.set
          : undefined
    if (owner !== undefined) return { gateway, listeners: gateway.listeners.filter((one) => one.owner === owner) }
  }
  return undefined
}

function allows(listener: ListenerState, route: AnyRoute, kind: string, sources: Pick<Sources, 'namespaces'>): boolean {
  if (!listener.kinds.includes(kind)) return false
  const choice = listener.spec.allowedRoutes?.namespaces
  return allowsNamespace(
    choice,
    'Same',
    listener.owner.metadata.namespace ?? '',
    route.metadata.namespace ?? '',
    sources,
  )
}

/** A route without hostnames is for all of the listener's. */
function sharedHosts(listener: ListenerState, hostnames: readonly HostPattern[]): HostPattern[] {
  if (hostnames.length === 0 || listener.protocol === 'TCP' || listener.protocol === 'UDP') return [listener.host]
  return hostnames.flatMap((host) => intersect(listener.host, host) ?? [])
}

/** The same objects each time, so that what is remembered of them is found again. */
const hostsOf = perObject((route: AnyRoute): readonly HostPattern[] =>
  (route.spec?.hostnames ?? []).map((text) => parseHost(text, 'suffix')),
)
