import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Client } from '../client/index.ts'
import type { Changes, Finding, ObjectKey, OwnershipSource, Snapshot } from '../cluster/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { PodNetwork } from '../pods/index.ts'
import type { Metrics } from './metrics.ts'

/** Where the agent says what it does; pino has this shape. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * A part of the node that is no nftables table: routes, links, announcements. Called in every round before the tables are
 * committed, with what changed. A throw is told, and the part is called again soon with what it missed.
 */
export interface NodeModule {
  readonly name: string
  /** Mistakes in objects that it has found, as of now. */
  readonly findings?: readonly Finding[]
  update(snapshot: Snapshot, pods: PodNetwork, changes: Changes): void | Promise<void>
  close?(): void | Promise<void>
}

/** Answers one call on the agent's socket: the parsed JSON body in, what becomes the JSON answer out. */
export type SocketRoute = (body: unknown) => unknown | Promise<unknown>

export interface AgentOptions {
  /** Prefixes of which only Services have addresses, until ServiceCIDR objects say others. */
  readonly servicePrefixes: readonly Prefix[]
  /** Sources that count as pods; the podCIDRs of all Nodes unless told. */
  readonly podPrefixes?: readonly Prefix[]
  readonly families?: readonly Family[]
  /** Node ports answer at the addresses of the node's links within these; at those of the Node object unless told. */
  readonly nodePortAddresses?: readonly Prefix[]
  /**
   * Whether TCP node ports answer the node's own processes at 127.0.0.1 too, as kube-proxy's iptables mode did; not unless told. The
   * agent then sets `net.ipv4.conf.all.route_localnet` in the node's namespace, behind a rule that keeps the wire out of 127.0.0.0/8.
   */
  readonly loopbackNodePorts?: boolean
  /** How often it is looked whether the tables are still there, in milliseconds; every 10 s unless told. */
  readonly tableCheckMs?: number
  /**
   * Whether connections of more than 20 packets go past the hooks by a flowtable, on kernels that can end such connections; not unless
   * told. `fastpath/README.md` says what they then bypass.
   */
  readonly fastPath?: boolean
  readonly modules?: readonly NodeModule[]
  /** Whether NetworkPolicies are enforced, and whether a change also cuts the connections that it no longer allows; `off` unless told. */
  readonly policies?: 'strict' | 'new-connections' | 'off'
  /** Whether pods' `hostPort`s answer at the node: where Plumb gives pods their network; not unless told. */
  readonly hostPorts?: boolean
  /** Whether Egresses are carried out; not unless told. */
  readonly egress?: boolean
  /** Who holds which external address; by the conditions of Nodes unless told. */
  readonly ownership?: OwnershipSource
  /** How often connections, packets and bytes by Service are read and told, in milliseconds; they are not counted unless told. */
  readonly trafficMs?: number
  /** Where `/healthz`, `/livez` and `/metrics` are; nowhere unless told. */
  readonly health?: { readonly address: Address; readonly port: number }
  /** The unix socket for questions (`observe.ts`), and `METHOD /path` of whatever else arrives there. */
  readonly socket?: { readonly path: string; readonly routes?: Readonly<Record<string, SocketRoute>> }
  /** Standard error, by pino, unless told. */
  readonly log?: Log
}

export interface AgentInput {
  readonly client: Client
  readonly host: Host
  /** The node's network namespace; the one in which the process started unless told. */
  readonly namespace?: Namespace
  readonly nodeName: string
  readonly options: AgentOptions
}

/** A running agent. */
export interface Agent {
  /** Resolves when the first round is in the kernel. */
  readonly ready: Promise<void>
  readonly snapshot: Snapshot
  readonly metrics: Metrics
  findings(): readonly Finding[]
  /** Resolves when the kernel holds the policies of a pod that got these addresses, and the ways by which it leaves; throws a `HostError` when the pod stays unknown. */
  admit(pod: ObjectKey, addresses: readonly Address[]): Promise<void>
  /** Resolves when no change is waiting and the last round is in the kernel. */
  settled(): Promise<void>
  /** The port of the health endpoints, when there are any. */
  readonly healthPort: number | undefined
  /** Stops following; what is in the kernel stays and goes on serving. */
  stop(): Promise<void>
}
