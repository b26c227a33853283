import type { Collection } from './collections.ts'
import type { ObjectKey } from './key.ts'

/** What changed since the last round: keys by collection. A change of a slice also names the Service it belongs (or belonged) to. */
export interface Changes {
  readonly services: ReadonlySet<ObjectKey>
  readonly slices: ReadonlySet<ObjectKey>
  readonly nodes: ReadonlySet<ObjectKey>
  readonly pods: ReadonlySet<ObjectKey>
  readonly namespaces: ReadonlySet<ObjectKey>
  readonly policies: ReadonlySet<ObjectKey>
  readonly clusterPolicies: ReadonlySet<ObjectKey>
  readonly adminPolicies: ReadonlySet<ObjectKey>
  readonly baselinePolicies: ReadonlySet<ObjectKey>
  readonly egresses: ReadonlySet<ObjectKey>
  readonly addressPools: ReadonlySet<ObjectKey>
  readonly l2Advertisements: ReadonlySet<ObjectKey>
  readonly l2Statuses: ReadonlySet<ObjectKey>
  readonly bgpStatuses: ReadonlySet<ObjectKey>
}

/** Accumulates changed keys by collection between two rounds. */
export class ChangeFeed {
  #changes: Record<Collection, Set<ObjectKey>> = emptyChanges()
  #size = 0

  /** Keys noted since the last `take`. */
  get size(): number {
    return this.#size
  }

  /** What was noted since the last `take`; it changes with the next note. */
  get pending(): Changes {
    return this.#changes
  }

  note(collection: Collection, key: ObjectKey): void {
    const keys = this.#changes[collection]
    const before = keys.size
    keys.add(key)
    this.#size += keys.size - before
  }

  /** Hands over what was noted and starts anew. */
  take(): Changes {
    const changes = this.#changes
    this.#changes = emptyChanges()
    this.#size = 0
    return changes
  }
}

/** What changed in either. */
export function mergeChanges(a: Changes, b: Changes): Changes {
  return {
    services: new Set([...a.services, ...b.services]),
    slices: new Set([...a.slices, ...b.slices]),
    nodes: new Set([...a.nodes, ...b.nodes]),
    pods: new Set([...a.pods, ...b.pods]),
    namespaces: new Set([...a.namespaces, ...b.namespaces]),
    policies: new Set([...a.policies, ...b.policies]),
    clusterPolicies: new Set([...a.clusterPolicies, ...b.clusterPolicies]),
    adminPolicies: new Set([...a.adminPolicies, ...b.adminPolicies]),
    baselinePolicies: new Set([...a.baselinePolicies, ...b.baselinePolicies]),
    egresses: new Set([...a.egresses, ...b.egresses]),
    addressPools: new Set([...a.addressPools, ...b.addressPools]),
    l2Advertisements: new Set([...a.l2Advertisements, ...b.l2Advertisements]),
    l2Statuses: new Set([...a.l2Statuses, ...b.l2Statuses]),
    bgpStatuses: new Set([...a.bgpStatuses, ...b.bgpStatuses]),
  }
}

/** No change of anything; another object each time. */
export function emptyChanges(): Record<Collection, Set<ObjectKey>> {
  return {
    services: new Set(),
    slices: new Set(),
    nodes: new Set(),
    pods: new Set(),
    namespaces: new Set(),
    policies: new Set(),
    clusterPolicies: new Set(),
    adminPolicies: new Set(),
    baselinePolicies: new Set(),
    egresses: new Set(),
    addressPools: new Set(),
    l2Advertisements: new Set(),
    l2Statuses: new Set(),
    bgpStatuses: new Set(),
  }
}
