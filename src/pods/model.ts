import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Because, Finding } from '../cluster/index.ts'

/**
 * How a node reaches the pods of another node: `direct`, by the other node's address on the segment that they share, or `vxlan`, through the
 * tunnel, whose far end `gateway` is as seen on the tunnel's link.
 */
export interface NodeRoute {
  readonly kind: 'direct' | 'vxlan'
  readonly node: string
  readonly destination: Prefix
  readonly gateway: Address
  readonly because: Because
}

/** The node's end of the tunnel to nodes on other segments (VXLAN, RFC 7348, over IPv4). */
export interface Overlay {
  readonly id: number
  readonly port: number
  readonly local: Address
  readonly mac: string
  /** What fits into one packet inside the tunnel, in bytes. */
  readonly mtu: number
  readonly ends: readonly TunnelEnd[]
}

/** A node on another segment. */
export interface TunnelEnd {
  readonly node: string
  /** Where packets of the tunnel are sent. */
  readonly address: Address
  readonly mac: string
  /** By which routes name it on the tunnel's link. */
  readonly gateways: Readonly<Record<Family, Address>>
  /** The node's own addresses that only a router reaches: pods reach them through the tunnel, because a router need not know pods. */
  readonly hosts: readonly Address[]
}

/** What pod networking means on one node. */
export interface PodNetwork {
  readonly node: string
  /** The node's own address per family: the source towards its pods. */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>
  /** The prefixes out of which this node's pods get their addresses. */
  readonly prefixes: readonly Prefix[]
  readonly routes: readonly NodeRoute[]
  /** What pods may send in one packet, in bytes; undefined until the node's agent has told what its links take. */
  readonly mtu: number | undefined
  /** Absent while all other nodes are on the node's own segment. */
  readonly overlay: Overlay | undefined
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
