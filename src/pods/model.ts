import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Because, Finding } from '../cluster/index.ts'

/** How a node reaches the pods of another node. */
export interface NodeRoute {
  readonly kind: 'direct'
  readonly node: string
  readonly destination: Prefix
  /** The other node's address on the shared segment. */
  readonly gateway: Address
  readonly because: Because
}

/** What pod networking means on one node. */
export interface PodNetwork {
  readonly node: string
  /** The node's own address per family: the source towards its pods. */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>
  /** The prefixes out of which this node's pods get their addresses. */
  readonly prefixes: readonly Prefix[]
  readonly routes: readonly NodeRoute[]
  /** Pod prefixes of the whole cluster: sources that are pods. */
  readonly podPrefixes: readonly Prefix[]
  /** Destinations towards which a pod keeps its own address: pods and nodes. */
  readonly unmasqueraded: readonly Prefix[]
  readonly findings: readonly Finding[]
}

/** One interface of one pod, as the node wires it (CNI's container ID and interface name are its identity). */
export interface Attachment {
  readonly containerId: string
  readonly interfaceName: string
  readonly namespace: string
  readonly pod: string
  readonly addresses: readonly Address[]
}
