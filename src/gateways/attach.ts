import { keyOf } from '../cluster/index.ts'
import { type AnyRoute, type Gateway, gatewayGroup, type ListenerSet, type ParentReference } from './gateway-api.ts'
import { type HostPattern, intersect, parseHost } from './host.ts'
import { fitted } from './keyed.ts'
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
  readonly accepted: Verdict
}

const accepted = verdict(true, 'Accepted', 'the route is served')

/** What routes name as their parent: a Gateway stands for its own listeners alone, a ListenerSet for its. */
export interface Parent {
  readonly gateway: GatewayState
  readonly listeners: readonly ListenerState[]
}

/** The parents that a Gateway is, with its ListenerSets, by kind and key. */
export const parentsOf = perObject((gateway: GatewayState): readonly (readonly [string, Parent])[] => {
  const byOwner = Map.groupBy(gateway.listeners, ({ owner }) => owner)
  const parent = (kind: string, owner: Gateway | ListenerSet) =>
    [`${kind} ${keyOf(owner)}`, { gateway, listeners: byOwner.get(owner) ?? [] }] as const
  return [parent('Gateway', gateway.gateway), ...gateway.sets.map(({ set }) => parent('ListenerSet', set))]
})

/** Finds each parent that a route names among the Gateways of ours and their ListenerSets; parents of others are left out. */
export function attach(
  route: AnyRoute,
  kind: string,
  findParent: (key: string) => Parent | undefined,
  sources: Pick<Sources, 'namespaces'>,
): Attachment[] {
  const attached = (route.spec?.parentRefs ?? []).flatMap((parentRef): Attachment[] => {
    const { group = gatewayGroup, kind: parentKind = 'Gateway', name, namespace } = parentRef
    if (group !== gatewayGroup) return []
    const found = findParent(`${parentKind} ${namespace ?? route.metadata.namespace ?? ''}/${name}`)
    return found === undefined ? [] : [attachTo(found, parentRef, route, kind, sources)]
  })
  return fitted(attached)
}

function attachTo(
  { gateway, listeners }: Parent,
  parentRef: ParentReference,
  route: AnyRoute,
  kind: string,
  sources: Pick<Sources, 'namespaces'>,
): Attachment {
  const refuse = (reason: string, says: string): Attachment => {
    return { parentRef, gateway, at: [], accepted: verdict(false, reason, says) }
  }
  const { sectionName, port } = parentRef
  const named = listeners.filter(
    ({ spec }) =>
      (sectionName === undefined || spec.name === sectionName) && (port === undefined || spec.port === port),
  )
  if (named.length === 0) {
    const which = `${sectionName === undefined ? '' : ` "${sectionName}"`}${port === undefined ? '' : ` on port ${port}`}`
    const there = listeners.map(({ spec }) => `${spec.name} on ${spec.port}`).join(', ') || 'none'
    return refuse('NoMatchingParent', `the parent has no listener${which}; there are ${there}`)
  }
  const allowing = named.filter((listener) => allows(listener, route, kind, sources))
  if (allowing.length === 0)
    return refuse('NotAllowedByListeners', sayRefusals(named, kind, route.metadata.namespace ?? ''))
  const hostnames = hostsOf(route)
  const at = allowing
    .filter(({ accepted }) => accepted.ok)
    .map((listener) => ({ listener, hosts: sharedHosts(listener, hostnames) }))
    .filter(({ hosts }) => hosts.length > 0)
  if (at.length > 0) return { parentRef, gateway, at: fitted(at), accepted }
  if (allowing.every(({ accepted }) => !accepted.ok))
    return refuse('NoMatchingParent', 'the listener itself is not accepted')
  return refuse('NoMatchingListenerHostname', 'no hostname of the route is one of the listeners’')
}

/** Why none of these listeners takes a route: their protocol, or whom `allowedRoutes` lets in. */
function sayRefusals(named: readonly ListenerState[], kind: string, namespace: string): string {
  const shown = named.slice(0, 3).map(({ spec, kinds }) => {
    if (kinds.includes(kind))
      return `listener ${spec.name} leaves out namespace ${namespace} (allowedRoutes.namespaces)`
    return `listener ${spec.name} (${spec.protocol}) takes ${kinds.join(' and ') || 'no routes'}, not ${kind}`
  })
  return [...shown, ...(named.length > 3 ? [`and ${named.length - 3} more refuse it`] : [])].join('; ')
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
  return fitted(hostnames.flatMap((host) => intersect(listener.host, host) ?? []))
}

/** The same objects each time, so that what is remembered of them is found again. */
const hostsOf = perObject((route: AnyRoute): readonly HostPattern[] =>
  (route.spec?.hostnames ?? []).map((text) => parseHost(text, 'suffix')),
)
