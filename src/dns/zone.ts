import type { Address, Prefix } from '../addr/index.ts'
import type { Changes, ObjectKey, Snapshot } from '../cluster/index.ts'
import { splitKey } from '../cluster/index.ts'
import type { EndpointSlice } from '../objects/index.ts'
import {
  compileEndpointRecords,
  compileServiceRecords,
  type EndpointRecord,
  type EndpointRecords,
  type ServiceRecords,
  sliceRecords,
} from './service-records.ts'

/** Which names `1-2-3-4.ns.pod.<zone>` exist: none, all of an existing namespace, or those of a Pod that has the address there. */
export type PodRecords = 'disabled' | 'insecure' | 'verified'

export interface ZoneOptions {
  /** Default `cluster.local`. */
  readonly clusterDomain?: string
  /** Default `insecure`, as in the usual Corefile. */
  readonly podRecords?: PodRecords
  /** Time to live of every record, in seconds; default 5. Negative answers may be kept as long. */
  readonly ttlSeconds?: number
  /** Prefixes whose reverse names are answered here even when nobody has the address. */
  readonly reversePrefixes?: readonly Prefix[]
  /** The Service under whose ClusterIP the server is reached, for the zone's NS record; default kube-system/kube-dns. */
  readonly dnsService?: ObjectKey
}

/** The zone of a cluster. Its names are read from the Snapshot's Services by key; `recompile` follows one Service's change. */
export class Zone {
  readonly snapshot: Snapshot
  /** Lower case, no dots at the ends. */
  readonly domain: string
  readonly podRecords: PodRecords
  readonly ttlSeconds: number
  readonly reversePrefixes: readonly Prefix[]
  readonly dnsService: ObjectKey
  /** Counts changes; the serial of the SOA record. */
  serial = 1
  readonly #records = new Map<ObjectKey, ServiceRecords>()
  readonly #slices = new Map<ObjectKey, readonly EndpointSlice[]>()
  readonly #endpoints = new Map<ObjectKey, EndpointRecords>()
  readonly #servicesByNamespace = new Map<string, number>()
  readonly #servicesByAddress = new Map<Address, Set<ObjectKey>>()
  /** How many slices of which Services list an address as ready. */
  readonly #endpointsByAddress = new Map<Address, Map<ObjectKey, number>>()

  constructor(snapshot: Snapshot, options: ZoneOptions) {
    this.snapshot = snapshot
    this.domain = (options.clusterDomain ?? 'cluster.local').toLowerCase().replace(/^\.+|\.+$/g, '')
    this.podRecords = options.podRecords ?? 'insecure'
    this.ttlSeconds = options.ttlSeconds ?? 5
    this.reversePrefixes = options.reversePrefixes ?? []
    this.dnsService = options.dnsService ?? 'kube-system/kube-dns'
    for (const key of snapshot.services.keys()) this.recompile(key)
  }

  /** Follows a round of the change feed. */
  update(changes: Changes): void {
    for (const key of changes.services) this.recompile(key)
  }

  /** Reads one Service and its slices again; costs the slices that changed, and a list of all at the next question. */
  recompile(key: ObjectKey): void {
    const service = this.snapshot.services.get(key)
    const old = this.#records.get(key)
    const records = service === undefined ? undefined : compileServiceRecords(service)
    const slices = service === undefined ? [] : this.snapshot.slicesOf(key)
    for (const address of old?.addresses ?? []) take(this.#servicesByAddress, address, key)
    for (const address of records?.addresses ?? []) add(this.#servicesByAddress, address, key)
    this.#indexSlices(key, this.#slices.get(key) ?? [], slices)
    this.#endpoints.delete(key)
    if (records === undefined) {
      this.#records.delete(key)
      this.#slices.delete(key)
    } else {
      this.#records.set(key, records)
      this.#slices.set(key, slices)
    }
    const { namespace } = splitKey(key)
    const count = this.#servicesByNamespace.get(namespace) ?? 0
    this.#servicesByNamespace.set(namespace, count + Number(records !== undefined) - Number(old !== undefined))
    this.serial = (this.serial + 1) >>> 0
  }

  findService(key: ObjectKey): ServiceRecords | undefined {
    return this.#records.get(key)
  }

  /** The ready endpoints of a Service. */
  endpointsOf(key: ObjectKey): EndpointRecords {
    let endpoints = this.#endpoints.get(key)
    if (endpoints === undefined) {
      endpoints = compileEndpointRecords(this.#slices.get(key) ?? [])
      this.#endpoints.set(key, endpoints)
    }
    return endpoints
  }

  /** Whether a namespace exists; where nobody watches namespaces, one with a Service does. */
  hasNamespace(name: string): boolean {
    return this.snapshot.namespaces.has(name) || (this.#servicesByNamespace.get(name) ?? 0) > 0
  }

  /** The Services that have this ClusterIP. */
  servicesAt(address: Address): Iterable<ObjectKey> {
    return this.#servicesByAddress.get(address) ?? []
  }

  /** The ready endpoints that have this address, with their Services. */
  *endpointsAt(address: Address): Iterable<{ readonly service: ServiceRecords; readonly endpoint: EndpointRecord }> {
    for (const key of this.#endpointsByAddress.get(address)?.keys() ?? []) {
      const service = this.findService(key)
      if (service === undefined) continue
      for (const slice of this.#slices.get(key) ?? [])
        for (const endpoint of sliceRecords(slice)) if (endpoint.address === address) yield { service, endpoint }
    }
  }

  #indexSlices(key: ObjectKey, old: readonly EndpointSlice[], current: readonly EndpointSlice[]): void {
    const before = new Set(old)
    const after = new Set(current)
    for (const slice of old) if (!after.has(slice)) this.#count(key, slice, -1)
    for (const slice of current) if (!before.has(slice)) this.#count(key, slice, 1)
  }

  #count(key: ObjectKey, slice: EndpointSlice, step: 1 | -1): void {
    for (const { address } of sliceRecords(slice)) {
      const counts = this.#endpointsByAddress.get(address) ?? new Map<ObjectKey, number>()
      const count = (counts.get(key) ?? 0) + step
      if (count > 0) counts.set(key, count)
      else counts.delete(key)
      if (counts.size > 0) this.#endpointsByAddress.set(address, counts)
      else this.#endpointsByAddress.delete(address)
    }
  }
}

/** The zone of what a Snapshot holds. */
export function compileZone(snapshot: Snapshot, options: ZoneOptions = {}): Zone {
  return new Zone(snapshot, options)
}

function add(sets: Map<Address, Set<ObjectKey>>, address: Address, key: ObjectKey): void {
  const keys = sets.get(address)
  if (keys === undefined) sets.set(address, new Set([key]))
  else keys.add(key)
}

function take(sets: Map<Address, Set<ObjectKey>>, address: Address, key: ObjectKey): void {
  const keys = sets.get(address)
  keys?.delete(key)
  if (keys?.size === 0) sets.delete(address)
}
