import { keyOf } from '../cluster/index.ts'
import { boundPort, gatewayServiceName } from './gateway-service.ts'
import type { RouteAtParent, RouteState } from './gateways.ts'
import { type HostPattern, hostText } from './host.ts'
import { compare } from './ingress-class.ts'
import { type GatewayState, isServed, type ListenerState } from './listeners.ts'
import type { Authority, Certificate, Entrance, Finding, StreamRoute } from './model.ts'
import { readTrustedProxies } from './proxy-protocol.ts'
import type { Sources } from './sources.ts'
import { type Claim, compileTiers } from './tiers.ts'

export interface Served {
  readonly entrances: readonly Entrance[]
  readonly certificates: ReadonlyMap<string, Certificate>
  readonly authorities: ReadonlyMap<string, Authority>
  readonly findings: readonly Finding[]
}

/** The ports of all Gateways that can be bound. */
export function entrancesOf(
  gateways: readonly GatewayState[],
  routes: readonly RouteState[],
  sources: Pick<Sources, 'services'>,
): Served {
  const certificates = new Map<string, Certificate>()
  const authorities = new Map<string, Authority>()
  const byListener = routesByListener(routes)
  const findings: Finding[] = []
  const entrances = gateways.flatMap((state) => {
    const { gateway } = state
    if (!state.accepted.ok) return []
    const served = state.listeners.filter(isServed)
    const trusted = readTrustedProxies(gateway.metadata.annotations, `gateway/${keyOf(gateway)}`)
    findings.push(...trusted.findings)
    const service = sources.services.get(`${gateway.metadata.namespace}/${gatewayServiceName(gateway)}`)
    const ports = Map.groupBy(served, ({ protocol, spec }) => `${spec.port}${protocol === 'UDP' ? '/udp' : ''}`)
    return [...ports].flatMap(([name, listeners]): Entrance[] => {
      const [{ protocol, spec }] = listeners as [ListenerState]
      const port = boundPort(service, spec.port, protocol === 'UDP' ? 'UDP' : 'TCP')
      if (port === undefined) return []
      for (const { certificates: own, validation } of listeners) {
        for (const certificate of own) certificates.set(certificate.id, certificate)
        if (validation !== undefined) authorities.set(validation.bundle.id, validation.bundle)
      }
      const entrance = entranceOf(
        `${gateway.metadata.namespace}:${gateway.metadata.name}:${name}`,
        port,
        listeners,
        byListener,
      )
      return [{ ...entrance, trustedProxies: trusted.prefixes }]
    })
  })
  return { entrances, certificates, authorities, findings }
}

interface RouteHere {
  readonly state: RouteState
  readonly parent: RouteAtParent
  readonly hosts: readonly HostPattern[]
}

function routesByListener(routes: readonly RouteState[]): Map<ListenerState, RouteHere[]> {
  const found = new Map<ListenerState, RouteHere[]>()
  for (const state of routes)
    for (const parent of state.parents)
      for (const { listener, hosts } of parent.at) {
        const here = found.get(listener) ?? []
        here.push({ state, parent, hosts })
        found.set(listener, here)
      }
  return found
}

function entranceOf(
  id: string,
  port: number,
  listeners: readonly ListenerState[],
  byListener: ReadonlyMap<ListenerState, readonly RouteHere[]>,
): Entrance {
  const [first] = listeners as [ListenerState]
  const http = listeners.filter(({ protocol, mode }) => (protocol === 'HTTP' || protocol === 'TLS') && mode === 'http')
  const claims = http.flatMap((listener) => claimsOf(listener, byListener.get(listener) ?? []))
  const streams = listeners
    .filter((listener) => !http.includes(listener))
    .flatMap((listener) => streamsOf(listener, byListener.get(listener) ?? []))
  const validation = listeners.find((one) => one.validation !== undefined)?.validation
  return {
    id,
    port,
    shownPort: first.spec.port,
    protocol: first.protocol,
    star: 'suffix',
    listeners: listeners.map(({ id, host, mode, certificates: own, because }) => ({
      id,
      host,
      mode,
      certificates: own.map((certificate) => certificate.id),
      because,
    })),
    tiers: compileTiers(http, claims),
    streams: uniqueHosts(streams),
    ...(validation && { clientValidation: { authority: validation.authority, mode: validation.mode } }),
    because: first.because,
  }
}

function claimsOf(listener: ListenerState, routes: readonly RouteHere[]): Claim[] {
  const claims = routes.flatMap(({ state, parent, hosts }) => {
    const { metadata } = state.route
    const object = `${keyOf(state.route)} ${state.kind}`
    const unique = hosts.length === 1 ? hosts : [...new Map(hosts.map((host) => [hostText(host), host])).values()]
    return unique.map((host) => ({
      listener: listener.id,
      host,
      created: metadata.creationTimestamp ?? '',
      object,
      rules: parent.rules,
    }))
  })
  if (new Set(routes.map(({ state }) => state)).size === routes.length) return claims
  // A route may name a listener twice, by two of its parents.
  return [...new Map(claims.map((claim) => [`${claim.object} ${hostText(claim.host)}`, claim])).values()]
}

function streamsOf(listener: ListenerState, routes: readonly RouteHere[]): (StreamRoute & { order: string })[] {
  return routes.flatMap(({ state, parent, hosts }) => {
    const object = `${state.kind.toLowerCase()}/${keyOf(state.route)}`
    const because = { object, field: 'spec.rules[0]', value: '' }
    const mode =
      listener.protocol === 'TCP'
        ? 'tcp'
        : listener.protocol === 'UDP'
          ? 'udp'
          : listener.mode === 'passthrough'
            ? 'passthrough'
            : 'terminate'
    const order = `${state.route.metadata.creationTimestamp ?? ''} ${keyOf(state.route)}`
    return hosts.map((host) => ({
      host,
      listener: listener.id,
      mode,
      action: { id: object, targets: parent.targets },
      because,
      order,
    }))
  })
}

/** Of routes for one host the oldest has it. */
function uniqueHosts(streams: (StreamRoute & { order: string })[]): StreamRoute[] {
  const found = new Map<string, StreamRoute>()
  for (const { order: _, ...stream } of streams.sort((a, b) => compare(a.order, b.order)))
    if (!found.has(hostText(stream.host))) found.set(hostText(stream.host), stream)
  return [...found.values()]
}
