import type { Family } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'
import type { LabelSelector } from '../objects/index.ts'

/** Transport protocols that policies can name. */
export type Transport = 'tcp' | 'udp' | 'sctp'

/** Which of a pod's directions: connections to it, or from it. */
export type Direction = 'ingress' | 'egress'

/** What one NetworkPolicy means, wherever it is enforced. No list is optional: what was absent says what it stands for. */
export interface PolicyModel {
  readonly key: ObjectKey
  readonly namespace: string
  /** `networkpolicy/shop/web` */
  readonly object: string
  readonly subject: PodSelector
  /** Annotated `plumb.network/audit: "true"`: it is judged and told, and neither denies nor allows. */
  readonly audit: boolean
  readonly ingress: Isolation
  readonly egress: Isolation
  readonly findings: readonly Finding[]
}

/** A label selector and its canonical text: equal texts select alike. */
export interface PodSelector {
  readonly selector: LabelSelector
  readonly id: string
}

/** Whether the policy isolates its pods in one direction. `isolated` without rules allows nothing. */
export type Isolation =
  | { readonly kind: 'untouched'; readonly because: Because }
  | { readonly kind: 'isolated'; readonly rules: readonly PolicyRule[]; readonly because: Because }

/** One item of `spec.ingress` or `spec.egress`: a connection is allowed when a peer and a port match. */
export interface PolicyRule {
  /** `spec.ingress[0]` */
  readonly field: string
  readonly peers: Peers
  readonly ports: Ports
}

export type Peers = { readonly kind: 'any' } | { readonly kind: 'some'; readonly peers: readonly Peer[] }

export type Peer = PodsPeer | BlockPeer | NodesPeer | NamePeer | NobodyPeer

/** Pods by labels: of one namespace, or of the namespaces that a selector selects. Never an address outside the cluster. */
export interface PodsPeer {
  readonly kind: 'pods'
  readonly namespaces:
    | { readonly kind: 'one'; readonly namespace: string }
    | { readonly kind: 'selected'; readonly selector: LabelSelector }
  readonly pods: LabelSelector
  /** Equal for peers that select alike. */
  readonly id: string
  readonly because: Because
}

/** Addresses: a prefix without its exceptions, as ranges that do not touch one another. */
export interface BlockPeer {
  readonly kind: 'block'
  readonly family: Family
  readonly ranges: readonly AddressRange[]
  readonly because: Because
}

/** The addresses of nodes by their labels. */
export interface NodesPeer {
  readonly kind: 'nodes'
  readonly nodes: LabelSelector
  /** Equal for peers that select alike. */
  readonly id: string
  readonly because: Because
}

/** Whatever addresses the cluster's DNS has told for a name. */
export interface NamePeer {
  readonly kind: 'name'
  /** `example.com`, or `*.example.com` for every name below it. */
  readonly name: string
  readonly because: Because
}

/** A peer that cannot be read: it allows nobody. */
export interface NobodyPeer {
  readonly kind: 'nobody'
  readonly because: Because
}

/** Addresses from `low` to `high`, both included, as integers. */
export interface AddressRange {
  readonly low: bigint
  readonly high: bigint
}

/** `any` is every port of every protocol, ICMP too. */
export type Ports = { readonly kind: 'any' } | { readonly kind: 'some'; readonly ports: readonly PortMatch[] }

export type PortMatch =
  /** Ports `first` to `last` of one protocol; 0 to 65535 when only the protocol is given. */
  | {
      readonly kind: 'range'
      readonly protocol: Transport
      readonly first: number
      readonly last: number
      readonly because: Because
    }
  /** The port that the destination pod's containers call by this name. */
  | { readonly kind: 'named'; readonly protocol: Transport; readonly name: string; readonly because: Because }

/** The tiers in the order in which they are asked; what none of them decides is allowed. */
export type Tier = 'admin' | 'networkpolicy' | 'baseline'

/** What a cluster-wide policy means: rules in order, of which the first that matches decides for its tier. It isolates nobody. */
export interface ClusterPolicyModel {
  /** `clusternetworkpolicy/deny-db`, which no other policy has. */
  readonly object: string
  readonly tier: Exclude<Tier, 'networkpolicy'>
  /** 0 to 1000; the lowest is asked first. */
  readonly priority: number
  /** Undefined when it cannot be read: then the policy is nobody's. */
  readonly subject:
    | { readonly namespaces: LabelSelector; readonly pods: LabelSelector; readonly id: string }
    | undefined
  /** As of `PolicyModel`. */
  readonly audit: boolean
  readonly ingress: readonly TierRule[]
  readonly egress: readonly TierRule[]
  readonly findings: readonly Finding[]
}

/** One item of `spec.ingress` or `spec.egress` of a cluster-wide policy. */
export interface TierRule {
  readonly field: string
  /** As its author calls it; empty when not at all. */
  readonly name: string
  /** `pass` leaves the rest of the tier to the next one. */
  readonly action: 'accept' | 'deny' | 'pass'
  readonly peers: Peers
  readonly ports: Ports
}

/** A named container port of a pod. */
export interface NamedPort {
  readonly name: string
  readonly protocol: Transport
  readonly port: number
}
