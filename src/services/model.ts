import { type Address, type Family, type Prefix, parseAddress } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'

export type { Because, Finding }

/** Transport protocols of Service ports, by nft's and the kernel's names. */
export type Transport = 'tcp' | 'udp' | 'sctp'

/** What one Service means on one node. */
export interface ServiceModel {
  readonly key: ObjectKey
  /** `metadata.creationTimestamp`: of two Services that claim one frontend, the older has it. */
  readonly created: string
  readonly subject: Subject
  readonly frontends: readonly Frontend[]
  readonly healthCheck: HealthCheck | undefined
  /** When connections to endpoints that go are cut; never unless told. */
  readonly drain: Drain | undefined
  readonly findings: readonly Finding[]
}

/** Whether the proxy has work to do for the Service, and if not, whose work it is. */
export type Subject =
  | { readonly kind: 'proxied'; readonly because: Because }
  | {
      readonly kind: 'ignored'
      readonly reason: 'external-name' | 'headless' | 'other-proxy' | 'no-cluster-ip'
      readonly because: Because
    }

/** How clients come to a frontend's address; for all but ClusterIPs the external traffic policy counts. */
export type FrontendKind = 'cluster-ip' | 'node-port' | 'load-balancer-ip' | 'external-ip'

/** An address, a protocol and a port at which the Service answers on this node. */
export interface Frontend extends Choosing {
  readonly kind: FrontendKind
  readonly family: Family
  readonly address: Address
  readonly protocol: Transport
  readonly port: number
  /** `spec.ports[].name`, empty when the only port has none. */
  readonly portName: string
  /**
   * `externalTrafficPolicy: Local` alone: what pods and the node itself get, which is every endpoint, as if they had gone out
   * and come back in by a load balancer. The frontend's own outcome is then for everybody else.
   */
  readonly inside: Choosing | undefined
  /** Whose address endpoints do not see: of who is no pod, of everyone, or of the node alone. */
  readonly masquerade: 'strangers' | 'everyone' | 'own'
  readonly affinity: Affinity | undefined
  /** By what a connection's endpoint is computed; by chance unless told. */
  readonly hashing: Hashing | undefined
  /** Load balancers' addresses alone: who may come; everybody unless told. */
  readonly sources: Sources | undefined
  readonly because: { readonly address: Because; readonly port: Because }
}

/** What becomes of new connections, and every endpoint that was considered, chosen or not, in the order of slices. */
export interface Choosing {
  readonly outcome: Outcome
  readonly candidates: readonly Candidate[]
}

/** `sessionAffinity: ClientIP`: a client returns to its endpoint when it comes again within the time since its last connection. */
export interface Affinity {
  readonly timeoutSeconds: number
  readonly because: Because
}

/** Maglev: nodes that see the same of a connection choose the same endpoint for it. */
export interface Hashing {
  /** Of the client's address and port, or of its address alone. */
  readonly by: 'connection' | 'source-address'
  readonly because: Because
}

/** `loadBalancerSourceRanges`: connections from elsewhere are dropped before they are translated. */
export interface Sources {
  /** Of the frontend's family, disjoint. */
  readonly allowed: readonly Prefix[]
  readonly because: Because
}

/** Endpoints that go keep their connections for some seconds; then these are cut. */
export interface Drain {
  readonly seconds: number
  /** Endpoints that do not terminate, as `ADDRESS . PORT`, of all ports and families. */
  readonly staying: ReadonlySet<string>
  /** Those that do. */
  readonly leaving: ReadonlySet<string>
  readonly because: Because
}

/** `healthCheckNodePort`: where load balancers ask whether this node has endpoints (KEP-1669). */
export interface HealthCheck {
  readonly port: number
  /** Addresses of endpoints of this node that are ready; those that terminate do not count. By the family in which is asked; a family that the Service lacks tells of the other. */
  readonly localEndpoints: Readonly<Record<Family, number>>
}

export type Outcome =
  /** Each new connection goes to one of the endpoints, by their weights. */
  | {
      readonly kind: 'balance'
      readonly scope: 'cluster' | 'local'
      readonly endpoints: readonly Candidate[]
      readonly because: Because
    }
  /** Refused with ICMP port unreachable: nobody serves the port anywhere. */
  | { readonly kind: 'reject'; readonly reason: 'no-endpoints'; readonly because: Because }
  /** Silence: the policy is Local and only other nodes have endpoints. */
  | { readonly kind: 'drop'; readonly reason: 'no-local-endpoints'; readonly because: Because }

/** One address and port of an EndpointSlice. */
export interface Candidate {
  readonly address: Address
  readonly port: number
  readonly node: string | undefined
  readonly zone: string | undefined
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** How many parts of the connections it gets; where every chosen one has 0, all get one part. */
  readonly weight: number
  readonly use: Use
  readonly because: Because
}

/** Whether an endpoint gets connections, and why (KEP-1669, KEP-2433, KEP-3015, KEP-4444). */
export type Use =
  | {
      readonly kind: 'chosen'
      readonly why: 'ready' | 'hinted-node' | 'hinted-zone' | 'local' | 'terminating-fallback'
    }
  | {
      readonly kind: 'passed-over'
      readonly why: 'not-ready' | 'terminating' | 'hinted-elsewhere' | 'other-node' | 'listed-twice' | 'beyond-limit'
    }

/** What a node must know about itself to choose endpoints. */
export interface NodeView {
  readonly name: string
  /** Label `topology.kubernetes.io/zone`. */
  readonly zone: string | undefined
  /** The addresses that the Node object gives: primary ones, by which source ranges know the node. */
  readonly addresses: readonly Address[]
  /** Where node ports answer. */
  readonly nodePortAddresses: readonly Address[]
  /** Whether the node's own processes reach TCP node ports at 127.0.0.1 too; not unless told. */
  readonly loopbackNodePorts?: boolean
}

/** Where node ports answer the node's own processes. IPv6 has no counterpart: nothing lets `::1` be translated to another host. */
export const loopback = parseAddress('127.0.0.1')

/** Endpoints of one Service port that connections are spread over; a class is a 16-bit number. */
export const maxEndpoints = 0xffff

/** Whether an endpoint may be a process of the node; slices that people write often name no node. */
export function mayRunOn(nodeName: string, endpointNode: string | undefined): boolean {
  return endpointNode === undefined || endpointNode === nodeName
}
