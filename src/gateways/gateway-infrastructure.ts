import { type Address, familyOf } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { Endpoint, EndpointSlice, OwnerReference, Service, ServicePort } from '../objects/index.ts'
import type { Gateway } from './gateway-api.ts'
import { gatewayNameLabel, gatewayServiceName } from './gateway-service.ts'
import type { GatewayApiState, RouteState } from './gateways.ts'
import { gatewayControllerName } from './gateways.ts'
import type { GatewayState } from './listeners.ts'

/** Ports that nodes bind for Gateways; below those of NodePorts and of outgoing connections. */
const firstTarget = 20_000
const lastTarget = 29_999

/** A node that runs a gateway. */
export interface GatewayNode {
  readonly name: string
  readonly addresses: readonly Address[]
}

/** The Service of a Gateway and its slices as they should be; fields that others own are not named. */
export interface Infrastructure {
  readonly service: Service
  readonly slices: readonly EndpointSlice[]
}

/**
 * What gives a Gateway its address: a Service of type LoadBalancer without a selector, whose endpoints are the ports that every node
 * binds, and for UDP the pods themselves. Ports that a Service has keep their targets. Undefined when there is no port to give.
 */
export function planInfrastructure(
  state: GatewayState,
  existing: Service | undefined,
  targets: TargetPorts,
  nodes: readonly GatewayNode[],
  udp: readonly EndpointSlice[],
): Infrastructure | undefined {
  const { gateway } = state
  const accepted = state.listeners.filter((listener) => listener.accepted.ok)
  const wanted = new Map(
    accepted.map(({ protocol, spec }): [string, readonly [number, 'TCP' | 'UDP']] => {
      const transport = protocol === 'UDP' ? 'UDP' : 'TCP'
      return [`${transport} ${spec.port}`, [spec.port, transport]]
    }),
  )
  if (wanted.size === 0 || !state.accepted.ok) return undefined
  const ports = [...wanted.values()].map(([port, protocol]): ServicePort => {
    const name = `${protocol.toLowerCase()}-${port}`
    const targetPort = protocol === 'UDP' ? port : targets.give(`${keyOf(gateway)} ${port}`, existing, port)
    return { name, port, protocol, targetPort }
  })
  const hasUdp = ports.some(({ protocol }) => protocol === 'UDP')
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadataOf(gateway, gatewayServiceName(gateway)), annotations: annotationsOf(gateway) },
    spec: {
      type: 'LoadBalancer',
      ipFamilyPolicy: 'PreferDualStack',
      // Each node's own HAProxy answers and sees the client's address; datagrams go to pods, wherever they are.
      externalTrafficPolicy: hasUdp ? 'Cluster' : 'Local',
      ports,
    },
  }
  return { service, slices: [...nodeSlices(gateway, ports, nodes), ...udp] }
}

/** Which port nodes bind for each port of each Gateway; every one is given once. */
export class TargetPorts {
  readonly #given = new Map<string, number>()
  readonly #taken = new Set<number>()

  /** Tells of Services that a former life of the controller made. */
  learn(gateway: string, service: Service): void {
    for (const { port, targetPort, protocol } of service.spec.ports ?? [])
      if (protocol !== 'UDP' && typeof targetPort === 'number') this.#take(`${gateway} ${port}`, targetPort)
  }

  give(key: string, existing: Service | undefined, port: number): number {
    const known = this.#given.get(key)
    if (known !== undefined) return known
    const held = existing?.spec.ports?.find((one) => one.port === port && one.protocol !== 'UDP')?.targetPort
    if (typeof held === 'number' && !this.#taken.has(held)) return this.#take(key, held)
    for (let target = firstTarget; target <= lastTarget; target++)
      if (!this.#taken.has(target)) return this.#take(key, target)
    throw new RangeError(`all ${lastTarget - firstTarget + 1} ports for Gateways are given`)
  }

  /** Gives back what Gateways had that are gone. */
  keepOnly(gateways: ReadonlySet<string>): void {
    for (const [key, target] of this.#given) {
      if (gateways.has(key.split(' ', 1)[0]!)) continue
      this.#given.delete(key)
      this.#taken.delete(target)
    }
  }

  #take(key: string, target: number): number {
    this.#given.set(key, target)
    this.#taken.add(target)
    return target
  }
}

function metadataOf(gateway: Gateway, name: string) {
  const { labels = {} } = gateway.spec?.infrastructure ?? {}
  return {
    name,
    ...(gateway.metadata.namespace && { namespace: gateway.metadata.namespace }),
    labels: { ...labels, [gatewayNameLabel]: gateway.metadata.name, 'app.kubernetes.io/managed-by': 'plumb' },
    ownerReferences: [ownerOf(gateway)],
  }
}

function ownerOf({ apiVersion, kind, metadata }: Gateway): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true }
}

/** Addresses that the Gateway asks for are asked of the pools. */
function annotationsOf(gateway: Gateway): Record<string, string> {
  const { annotations = {} } = gateway.spec?.infrastructure ?? {}
  const asked = (gateway.spec?.addresses ?? []).flatMap(({ value }) => value || [])
  return { ...annotations, ...(asked.length > 0 && { 'plumb.network/loadBalancerIPs': asked.join(',') }) }
}

function nodeSlices(gateway: Gateway, ports: readonly ServicePort[], nodes: readonly GatewayNode[]): EndpointSlice[] {
  const tcp = ports.filter(({ protocol }) => protocol === 'TCP')
  if (tcp.length === 0) return []
  return ([4, 6] as const).flatMap((family) => {
    const endpoints = nodes.flatMap(({ name, addresses }): Endpoint[] => {
      const address = addresses.find((one) => familyOf(one) === family)
      const conditions = { ready: true, serving: true, terminating: false }
      return address === undefined ? [] : [{ addresses: [address], nodeName: name, conditions }]
    })
    const named = tcp.map(({ name = '', targetPort }) => ({
      name,
      port: targetPort as number,
      protocol: 'TCP' as const,
    }))
    return endpoints.length === 0 ? [] : [sliceOf(gateway, `ipv${family}`, family, endpoints, named)]
  })
}

function sliceOf(
  gateway: Gateway,
  suffix: string,
  family: 4 | 6,
  endpoints: Endpoint[],
  ports: NonNullable<EndpointSlice['ports']>,
): EndpointSlice {
  const service = gatewayServiceName(gateway)
  const metadata = metadataOf(gateway, `${service}-${suffix}`)
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...metadata,
      labels: {
        ...metadata.labels,
        'kubernetes.io/service-name': service,
        'endpointslice.kubernetes.io/managed-by': gatewayControllerName.replace('/', '-'),
      },
    },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints,
    ports,
  }
}

/** The pods behind a Gateway's UDP listeners: of each the oldest route. Backends with different weights are all the same here. */
export function udpSlices(
  state: GatewayState,
  { routes, backends }: Pick<GatewayApiState, 'routes' | 'backends'>,
  slicesOf: (service: string) => readonly EndpointSlice[],
): EndpointSlice[] {
  return state.listeners
    .filter(({ protocol, accepted }) => protocol === 'UDP' && accepted.ok)
    .flatMap((listener) => {
      const route = oldestAt(routes, listener)
      const targets = route?.parents.flatMap(({ targets }) => targets) ?? []
      const found = [...new Set(targets.flatMap(({ target }) => (target.kind === 'backend' ? target.id : [])))]
      return found.flatMap((id, at) => {
        const backend = backends.get(id)
        return (backend === undefined ? [] : slicesOf(backend.service)).flatMap((slice, index) => {
          const port = slice.ports?.find(({ name = '', protocol }) => protocol === 'UDP' && name === backend?.portName)
          if (port?.port === undefined || slice.addressType === 'FQDN') return []
          const family = slice.addressType === 'IPv6' ? 6 : 4
          const named = [{ name: `udp-${listener.spec.port}`, port: port.port, protocol: 'UDP' as const }]
          return [
            sliceOf(
              state.gateway,
              `udp-${listener.spec.port}-${at}-${index}`,
              family,
              [...(slice.endpoints ?? [])],
              named,
            ),
          ]
        })
      })
    })
}

function oldestAt(routes: readonly RouteState[], listener: GatewayState['listeners'][number]): RouteState | undefined {
  return routes
    .filter(
      ({ kind, parents }) =>
        kind === 'UDPRoute' && parents.some(({ at }) => at.some((one) => one.listener === listener)),
    )
    .sort((a, b) => orderOf(a).localeCompare(orderOf(b)))[0]
}

function orderOf({ route }: RouteState): string {
  return `${route.metadata.creationTimestamp ?? ''} ${keyOf(route)}`
}
