import type { Family, Prefix } from '../addr/index.ts'

/** What one node's network is to do. */
export interface NodePlanOptions {
  readonly node: string
  /** Families to serve; both unless told. */
  readonly families?: readonly Family[]
  /** Addresses that only Services may have. */
  readonly servicePrefixes: readonly Prefix[]
  /** Sources that count as pods; the podCIDRs of all Nodes unless told. */
  readonly podPrefixes?: readonly Prefix[]
  /** Node ports answer at the node's addresses within these; at those that the Node object gives unless told. */
  readonly nodePortAddresses?: readonly Prefix[]
  /** Whether TCP node ports answer the node's own processes at 127.0.0.1; not unless told. */
  readonly loopbackNodePorts?: boolean
  /** Whether pods' `hostPort`s answer at the node: where Plumb gives pods their network. */
  readonly hostPorts?: boolean
  /** Whether NetworkPolicies are enforced; the Snapshot must then have all Pods. */
  readonly policies?: boolean
  /** Whether Egresses are carried out; the Snapshot must then have Namespaces. */
  readonly egress?: boolean
}
