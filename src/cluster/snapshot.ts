import { type Address, findAddress } from '../addr/index.ts'
import type {
  AdminNetworkPolicy,
  ClusterNetworkPolicy,
  Egress,
  EndpointSlice,
  IPAddressPool,
  KubeObject,
  L2Advertisement,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
  ServiceBGPStatus,
  ServiceL2Status,
} from '../objects/index.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { Collection, Collections } from './collections.ts'
import { keyOf, type ObjectKey } from './key.ts'

/** A read-only, indexed view of the objects of one node or of the whole cluster. Objects are shared and must not be changed. */
export interface Snapshot {
  readonly services: ReadonlyMap<ObjectKey, Service>
  readonly slices: ReadonlyMap<ObjectKey, EndpointSlice>
  readonly nodes: ReadonlyMap<ObjectKey, Node>
  readonly pods: ReadonlyMap<ObjectKey, Pod>
  readonly namespaces: ReadonlyMap<ObjectKey, Namespace>
  readonly policies: ReadonlyMap<ObjectKey, NetworkPolicy>
  readonly clusterPolicies: ReadonlyMap<ObjectKey, ClusterNetworkPolicy>
  readonly adminPolicies: ReadonlyMap<ObjectKey, AdminNetworkPolicy>
  readonly baselinePolicies: ReadonlyMap<ObjectKey, AdminNetworkPolicy>
  readonly egresses: ReadonlyMap<ObjectKey, Egress>
  readonly addressPools: ReadonlyMap<ObjectKey, IPAddressPool>
  readonly l2Advertisements: ReadonlyMap<ObjectKey, L2Advertisement>
  readonly l2Statuses: ReadonlyMap<ObjectKey, ServiceL2Status>
  readonly bgpStatuses: ReadonlyMap<ObjectKey, ServiceBGPStatus>
  /** The slices of a Service (label `kubernetes.io/service-name`), sorted by name. */
  slicesOf(service: ObjectKey): readonly EndpointSlice[]
  /** The Pod that has the address in its status and neither ended nor shares its node's network. */
  findPod(address: Address): Pod | undefined
  /** The Pods of a node, in no order. */
  podsOn(node: string): Iterable<Pod>
}

/** The label that ties an EndpointSlice to its Service. */
export const serviceNameLabel = 'kubernetes.io/service-name'

/** The Service that a slice belongs to, if its label names one. */
function findServiceKey(slice: EndpointSlice): ObjectKey | undefined {
  const name = slice.metadata.labels?.[serviceNameLabel]
  return name === undefined || name === '' ? undefined : `${slice.metadata.namespace ?? ''}/${name}`
}

/** A Snapshot that follows its sources: each change costs the size of the change and is noted in the feed, if there is one. */
export class LiveSnapshot implements Snapshot {
  readonly services = new Map<ObjectKey, Service>()
  readonly slices = new Map<ObjectKey, EndpointSlice>()
  readonly nodes = new Map<ObjectKey, Node>()
  readonly pods = new Map<ObjectKey, Pod>()
  readonly namespaces = new Map<ObjectKey, Namespace>()
  readonly policies = new Map<ObjectKey, NetworkPolicy>()
  readonly clusterPolicies = new Map<ObjectKey, ClusterNetworkPolicy>()
  readonly adminPolicies = new Map<ObjectKey, AdminNetworkPolicy>()
  readonly baselinePolicies = new Map<ObjectKey, AdminNetworkPolicy>()
  readonly egresses = new Map<ObjectKey, Egress>()
  readonly addressPools = new Map<ObjectKey, IPAddressPool>()
  readonly l2Advertisements = new Map<ObjectKey, L2Advertisement>()
  readonly l2Statuses = new Map<ObjectKey, ServiceL2Status>()
  readonly bgpStatuses = new Map<ObjectKey, ServiceBGPStatus>()
  readonly #slicesByService = new Map<ObjectKey, readonly EndpointSlice[]>()
  readonly #podsByAddress = new Map<Address, readonly Pod[]>()
  readonly #podsByNode = new Map<string, Map<ObjectKey, Pod>>()
  readonly #feed: ChangeFeed | undefined

  constructor(feed?: ChangeFeed) {
    this.#feed = feed
  }

  slicesOf(service: ObjectKey): readonly EndpointSlice[] {
    return this.#slicesByService.get(service) ?? []
  }

  findPod(address: Address): Pod | undefined {
    return this.#podsByAddress.get(address)?.[0]
  }

  podsOn(node: string): Iterable<Pod> {
    return this.#podsByNode.get(node)?.values() ?? []
  }

  /** Puts one object in the place of what the collection has under `key`, or takes it out. */
  put<C extends Collection>(collection: C, key: ObjectKey, current: Collections[C] | undefined): void {
    const objects = this[collection] as Map<ObjectKey, KubeObject>
    const old = objects.get(key)
    if (old === current) return
    if (current === undefined) objects.delete(key)
    else objects.set(key, current)
    if (collection === 'slices')
      this.#indexSlice(old as EndpointSlice | undefined, current as EndpointSlice | undefined)
    if (collection === 'pods') this.#indexPod(key, old as Pod | undefined, current as Pod | undefined)
    this.#feed?.note(collection, key)
  }

  #indexSlice(old: EndpointSlice | undefined, current: EndpointSlice | undefined): void {
    const before = old && findServiceKey(old)
    const after = current && findServiceKey(current)
    if (before !== undefined) {
      const kept = this.slicesOf(before).filter((slice) => slice !== old)
      if (kept.length === 0) this.#slicesByService.delete(before)
      else this.#slicesByService.set(before, kept)
      this.#feed?.note('services', before)
    }
    if (after !== undefined && current !== undefined) {
      const slices = [...this.slicesOf(after), current].sort(byName)
      this.#slicesByService.set(after, slices)
      this.#feed?.note('services', after)
    }
  }

  #indexPod(key: ObjectKey, old: Pod | undefined, current: Pod | undefined): void {
    for (const address of addressesOf(old)) {
      const kept = (this.#podsByAddress.get(address) ?? []).filter((pod) => pod !== old)
      if (kept.length === 0) this.#podsByAddress.delete(address)
      else this.#podsByAddress.set(address, kept)
    }
    for (const address of addressesOf(current)) {
      // The newest comes first: an address is given out again before the old Pod's last update arrives.
      if (current !== undefined)
        this.#podsByAddress.set(address, [current, ...(this.#podsByAddress.get(address) ?? [])])
    }
    const from = old?.spec.nodeName
    const to = current?.spec.nodeName
    if (from !== undefined) {
      const pods = this.#podsByNode.get(from)
      pods?.delete(key)
      if (pods?.size === 0) this.#podsByNode.delete(from)
    }
    if (to !== undefined && current !== undefined) {
      const pods = this.#podsByNode.get(to)
      if (pods === undefined) this.#podsByNode.set(to, new Map([[key, current]]))
      else pods.set(key, current)
    }
  }
}

/** A Snapshot of the objects in a list, e.g. of manifests; kinds that a Snapshot does not hold are passed over. */
export function snapshotOf(objects: Iterable<KubeObject>): LiveSnapshot {
  const snapshot = new LiveSnapshot()
  for (const object of objects) {
    const collection = findCollection(object)
    if (collection !== undefined) snapshot.put(collection, keyOf(object), object as never)
  }
  return snapshot
}

/** The collection of a kind, if a Snapshot holds that kind. */
function findCollection({ apiVersion, kind }: KubeObject): Collection | undefined {
  // Another load balancer's kinds have the same names.
  if (foreignGroup.test(apiVersion)) return undefined
  return Object.hasOwn(collectionByKind, kind) ? collectionByKind[kind] : undefined
}

const foreignGroup = /^metallb\.io\//

const collectionByKind: Readonly<Record<string, Collection>> = {
  Service: 'services',
  EndpointSlice: 'slices',
  Node: 'nodes',
  Pod: 'pods',
  Namespace: 'namespaces',
  NetworkPolicy: 'policies',
  ClusterNetworkPolicy: 'clusterPolicies',
  AdminNetworkPolicy: 'adminPolicies',
  BaselineAdminNetworkPolicy: 'baselinePolicies',
  Egress: 'egresses',
  IPAddressPool: 'addressPools',
  L2Advertisement: 'l2Advertisements',
  ServiceL2Status: 'l2Statuses',
  ServiceBGPStatus: 'bgpStatuses',
}

function byName(a: EndpointSlice, b: EndpointSlice): number {
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0
}

/** Addresses by which a Pod is reached as itself: none for host network (the address is the node's) and for ended Pods. */
function addressesOf(pod: Pod | undefined): readonly Address[] {
  if (pod === undefined || pod.spec.hostNetwork === true) return []
  const phase = pod.status?.phase
  if (phase === 'Succeeded' || phase === 'Failed') return []
  const texts = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP === undefined ? [] : [pod.status.podIP])
  return [...new Set(texts.flatMap((text) => findAddress(text) ?? []))]
}
