/** What a discovery knows of one instance of a service; Spring's `ServiceInstance`, with Kubernetes' conditions and hints. */
export interface ServiceInstance {
  /** Unique within the service and the same for as long as the instance lives: a Pod's uid, or `host:port`. */
  readonly instanceId: string
  readonly serviceId: string
  readonly host: string
  readonly port: number
  readonly secure?: boolean
  readonly scheme?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** Relative share of traffic; 1 unless given. Not above 0 or not a number counts as 1, as in Spring. */
  readonly weight?: number
  readonly zone?: string
  readonly node?: string
  /** May take new requests; true unless told otherwise. */
  readonly ready?: boolean
  /** Still answers, although it may be ending (KEP-1672). */
  readonly serving?: boolean
  /** Is ending: takes new requests only when every instance is (KEP-1669). */
  readonly terminating?: boolean
  /** Zones and nodes that this instance is meant for (EndpointSlice hints). */
  readonly hints?: { readonly zones?: readonly string[]; readonly nodes?: readonly string[] }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressOf(instance: Pick<ServiceInstance, 'host' | 'port'>): string {
  return `${instance.host.includes(':') ? `[${instance.host}]` : instance.host}:${instance.port}`
}

/** `http://host:port` or `https://host:port`. */
export function originOf(instance: ServiceInstance): string {
  return `${instance.scheme ?? (instance.secure === true ? 'https' : 'http')}://${addressOf(instance)}`
}

/** What a discovery tells: always the whole list. */
export interface InstanceList {
  readonly instances: readonly ServiceInstance[]
  /** The source does not answer and this is what it last said. */
  readonly stale?: boolean
  /** Why it is stale or empty, in words. */
  readonly trouble?: string
}

/** Where instances come from. */
export interface Discovery {
  /** For explanations: `EndpointSlices of default/web`. */
  readonly source: string
  /** Calls back with the whole list, first as soon as it is known, then on each change. Returns the way to stop, which frees everything. */
  subscribe(listener: (list: InstanceList) => void): () => void
}

/** One request as far as balancing cares. Header names are lower case. */
export interface BalancedRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** What ring hash and Maglev hash. */
  readonly hashKey?: string
  /** What the hint filter looks for, before the header. */
  readonly hint?: string
  /** Milliseconds from now until an answer is worthless. */
  readonly deadlineMs?: number
  /** Instances not to take when there are others: those that an earlier attempt tried. */
  readonly avoid?: ReadonlySet<string>
}

/** The first value of a header, if it is there. */
export function findHeader(request: BalancedRequest, name: string): string | undefined {
  const value = request.headers?.[name]
  return typeof value === 'string' ? value : value?.[0]
}
