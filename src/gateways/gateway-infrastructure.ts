import { type Address, familyOf } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { Endpoint, EndpointSlice, OwnerReference, Service, ServicePort } from '../objects/index.ts'
import type { Gateway } from './gateway-api.ts'
import { gatewayNameLabel, gatewayServiceName } from './gateway-service.ts'
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
 * binds. Ports that a Service has keep their targets. Undefined when there is no port to give.
 */
export function planInfrastructure(
  state: GatewayState,
  existing: Service | undefined,
  targets: TargetPorts,
  nodes: readonly GatewayNode[],
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
    const targetPort = targets.give(`${keyOf(gateway)} ${name}`, existing, port, protocol)
    return { name, port, protocol, targetPort }
  })
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadataOf(gateway, gatewayServiceName(gateway)), annotations: annotationsOf(gateway) },
    spec: {
      type: 'LoadBalancer',
      ipFamilyPolicy: 'PreferDualStack',
      // Each node answers for itself and sees the client's address.
      externalTrafficPolicy: 'Local',
      ports,
    },
  }
  return { service, slices: nodeSlices(gateway, ports, nodes) }
}

/** Which port nodes bind for each port of each Gateway; every one is given once. */
export class TargetPorts {
  readonly #given = new Map<string, number>()
  readonly #taken = new Set<number>()

  /** Tells of Services that a former life of the controller made. */
  learn(gateway: string, service: Service): void {
    for (const { name, targetPort } of service.spec.ports ?? [])
      if (typeof targetPort === 'number') this.#take(`${gateway} ${name}`, targetPort)
  }

  give(key: string, existing: Service | undefined, port: number, protocol: string): number {
    const known = this.#given.get(key)
    if (known !== undefined) return known
    const held = existing?.spec.ports?.find((one) => one.port === port && one.protocol === protocol)?.targetPort
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
  return ([4, 6] as const).flatMap((family) => {
    const endpoints = nodes.flatMap(({ name, addresses }): Endpoint[] => {
      const address = addresses.find((one) => familyOf(one) === family)
      const conditions = { ready: true, serving: true, terminating: false }
      return address === undefined ? [] : [{ addresses: [address], nodeName: name, conditions }]
    })
    const named = ports.map(({ name = '', targetPort, protocol = 'TCP' }) => ({
      name,
      port: targetPort as number,
      protocol,
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
