import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'
import type { LabelSelector } from '../objects/index.ts'

/** What an Egress means: which pods leave under which addresses, and where to. */
export interface EgressModel {
  readonly key: ObjectKey
  /** `egress/NAME`. */
  readonly object: string
  /** When the object was made, as the API server wrote it; of two Egresses that select a pod the older one holds. */
  readonly created: string
  /** Both must select; an absent one selects everything. */
  readonly selects: { readonly pods: LabelSelector | undefined; readonly namespaces: LabelSelector | undefined }
  /** In the order of the object; a pod gets one per family. */
  readonly addresses: readonly EgressAddress[]
  /** Nodes that may hold the addresses; all of them when absent. */
  readonly holders: LabelSelector | undefined
  readonly scope: Scope
  readonly ports: PortPlan
  /** What may leave under each address. */
  readonly bandwidth: Bandwidth | undefined
  /** What becomes of packets while no node holds the address. */
  readonly onUnavailable: 'Drop' | 'Node'
  readonly findings: readonly Finding[]
}

export interface EgressAddress {
  readonly address: Address
  readonly because: Because
}

/** Destinations outside the cluster that see an egress address. */
export interface Scope {
  /** All of them when absent. */
  readonly destinations: readonly Prefix[] | undefined
  /** Wins over `destinations`. */
  readonly excluded: readonly Prefix[]
}

/** How the source ports of an address are divided. */
export interface PortPlan {
  readonly perNode: number
  /** Absent: the pods of a node share its ports. */
  readonly perPod: number | undefined
}

/** Bytes per second, and bytes. */
export interface Bandwidth {
  readonly rate: number
  readonly burst: number
}

/** Source ports from `first` on, `last` included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** A Node as egress sees it. */
export interface EgressNode {
  readonly name: string
  /** Which share of each address's ports it has; absent until the controllers have given it one. */
  readonly index: number | undefined
  readonly addresses: Readonly<Partial<Record<Family, Address>>>
}

/** What decides how a pod leaves, beside the Egress itself. */
export interface EgressWorld {
  /** The node on which the pod runs. */
  readonly node: string
  readonly nodes: ReadonlyMap<string, EgressNode>
  /** Who holds which address now. */
  readonly owners: ReadonlyMap<Address, string>
}

/** How a selected pod's packets of one family leave for destinations in scope. */
export type Exit =
  /** By the owner of `address`, under that address and a port of the range. */
  | {
      readonly kind: 'through'
      readonly address: Address
      readonly owner: string
      readonly ports: PortRange
      readonly because: Because
    }
  /** Not at all. */
  | {
      readonly kind: 'blocked'
      readonly address: Address | undefined
      readonly says: string
      readonly because: Because
    }
  /** As if there were no Egress. */
  | { readonly kind: 'untouched'; readonly says: string; readonly because: Because }
