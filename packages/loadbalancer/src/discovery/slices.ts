import { addressOf, type ServiceInstance } from '../instance.ts'

/** The part of an EndpointSlice (discovery.k8s.io/v1) that matters here. */
export interface EndpointSlice {
  readonly metadata: {
    readonly name?: string
    readonly namespace?: string
    readonly resourceVersion?: string
    readonly labels?: Record<string, string>
  }
  readonly addressType?: string
  readonly endpoints?: readonly SliceEndpoint[] | null
  readonly ports?: readonly { name?: string; port?: number; protocol?: string; appProtocol?: string }[] | null
}

interface SliceEndpoint {
  readonly addresses?: readonly string[]
  readonly conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean }
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly targetRef?: { kind?: string; name?: string; uid?: string }
  readonly hints?: { forZones?: readonly { name: string }[]; forNodes?: readonly { name: string }[] }
}

/** Which port of the Service instances are reached at: a number, a name, or `http` and then the first, as Spring Cloud Kubernetes chooses. */
export type PortChoice = string | number | undefined

/**
 * All slices of a Service as one list: kept by slice name, so that an event of one slice touches only its own endpoints; an address that stands in two slices (it moves between
 * them for a moment) counts once, as the better of the two. `address` types come one family at a time.
 */
export class SliceSet {
  readonly #slices = new Map<string, EndpointSlice>()
  readonly #serviceId: string
  readonly #port: PortChoice
  readonly #family: 4 | 6

  constructor(serviceId: string, port: PortChoice, family: 4 | 6 = 4) {
    this.#serviceId = serviceId
    this.#port = port
    this.#family = family
  }

  replace(slices: readonly EndpointSlice[]): void {
    this.#slices.clear()
    for (const slice of slices) this.put(slice)
  }

  put(slice: EndpointSlice): void {
    this.#slices.set(slice.metadata.name ?? '', slice)
  }

  delete(slice: EndpointSlice): void {
    this.#slices.delete(slice.metadata.name ?? '')
  }

  get size(): number {
    return this.#slices.size
  }

  instances(): ServiceInstance[] {
    const found = new Map<string, ServiceInstance>()
    const wanted = this.#family === 6 ? 'IPv6' : 'IPv4'
    // In order of names, so that the answer does not depend on the order of events.
    const slices = [...this.#slices.values()].sort((a, b) =>
      (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1,
    )
    for (const slice of slices) {
      if ((slice.addressType ?? wanted) !== wanted) continue
      const port = choosePort(slice, this.#port)
      if (port === undefined) continue
      for (const endpoint of slice.endpoints ?? []) {
        // All addresses of an endpoint are the same Pod; consumers take the first (API reference of EndpointSlice).
        const host = endpoint.addresses?.[0]
        if (host === undefined) continue
        const instance = instanceOf(this.#serviceId, slice, endpoint, host, port)
        const twin = found.get(instance.instanceId)
        if (twin === undefined || rank(instance) > rank(twin)) found.set(instance.instanceId, instance)
      }
    }
    return [...found.values()]
  }
}

function rank({ ready, serving }: ServiceInstance): number {
  return ready === true ? 2 : serving === true ? 1 : 0
}

function instanceOf(
  serviceId: string,
  slice: EndpointSlice,
  endpoint: SliceEndpoint,
  host: string,
  { port, name, appProtocol }: { port: number; name?: string; appProtocol?: string },
): ServiceInstance {
  const { conditions = {}, zone, nodeName, hostname, targetRef, hints } = endpoint
  const terminating = conditions.terminating === true
  // An unset condition means true for ready, and ready for serving (API reference).
  const ready = conditions.ready !== false
  return {
    instanceId: targetRef?.uid === undefined ? addressOf({ host, port }) : `${targetRef.uid}:${port}`,
    serviceId,
    host,
    port,
    secure: name === 'https' || appProtocol === 'https' || port === 443 || port === 8443,
    ready: ready && !terminating,
    serving: conditions.serving ?? ready,
    terminating,
    metadata: {
      ...(slice.metadata.namespace === undefined ? {} : { k8s_namespace: slice.metadata.namespace }),
      ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined ? { pod: targetRef.name } : {}),
      ...(hostname === undefined ? {} : { hostname }),
    },
    ...(zone === undefined ? {} : { zone }),
    ...(nodeName === undefined ? {} : { node: nodeName }),
    ...(hints === undefined || hints === null
      ? {}
      : {
          hints: {
            ...(hints.forZones === undefined ? {} : { zones: hints.forZones.map(({ name: zoneName }) => zoneName) }),
            ...(hints.forNodes === undefined ? {} : { nodes: hints.forNodes.map(({ name: node }) => node) }),
          },
        }),
  }
}

function choosePort(
  slice: EndpointSlice,
  choice: PortChoice,
): { port: number; name?: string; appProtocol?: string } | undefined {
  const ports = (slice.ports ?? []).flatMap(({ port, protocol = 'TCP', ...rest }) =>
    port === undefined || protocol !== 'TCP' ? [] : [{ port, ...rest }],
  )
  if (typeof choice === 'number') return ports.find(({ port }) => port === choice) ?? { port: choice }
  if (choice !== undefined) return ports.find(({ name }) => name === choice)
  return ports.find(({ name }) => name === 'https') ?? ports.find(({ name }) => name === 'http') ?? ports[0]
}
