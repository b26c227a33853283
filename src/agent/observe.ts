import type { Address, Family } from '../addr/index.ts'
import type { Connection, ListeningSocket, Neighbour, Route } from '../host/index.ts'
import type { ServiceAnswer, ServiceModel, Transport } from '../services/index.ts'

// The JSON that crosses the agent's unix socket. Every call is HTTP/1.1 with a JSON body; refusals are `{ error }` with 4xx.

/** `POST /explain`: what this node's Services do to a new connection. */
export interface ExplainRequest {
  /** The client's address, or the Pod that it is (`namespace/name`), or the node itself when both are absent. */
  readonly source?: string
  readonly sourcePod?: string
  readonly destination: string
  readonly protocol?: Transport
  readonly port: number
}

export interface ExplainResponse extends ServiceAnswer {
  readonly node: string
  /** The address that the question was answered for. */
  readonly source: Address
  /** Whether the kernel holds what the answer says; false while a round is waiting or was refused. */
  readonly confirmed: boolean
}

/** `GET /model/services/{namespace}/{name}`: the meaning of a Service on this node, as last compiled. */
export type ModelResponse = ServiceModel

/** `POST /observe`: what the kernel of this node has, each part only when it is asked for. */
export interface ObserveRequest {
  /** Where a packet would go. */
  readonly route?: { readonly destination: string; readonly source?: string; readonly inputInterface?: string }
  /** The neighbour entries of an address. */
  readonly neighbour?: string
  /** What the tables hold for a Service's address and port, read from the kernel. */
  readonly frontend?: { readonly address: string; readonly protocol: Transport; readonly port: number }
  /** Sockets that listen in this node's namespace, or in the one at `namespace` (a path such as /proc/PID/ns/net). */
  readonly listeners?: { readonly namespace?: string; readonly port?: number }
  /** What the map of policies has for this node's pod at an address. */
  readonly policy?: { readonly direction: 'egress' | 'ingress'; readonly address: string }
  /** Conntrack entries whose original or reply direction has this address. */
  readonly connections?: { readonly address: string; readonly protocol?: number; readonly port?: number }
}

export interface ObserveResponse {
  readonly node: string
  /** Null when there is no route. */
  readonly route?: Route | null
  readonly neighbours?: readonly Neighbour[]
  readonly frontend?: ObservedFrontend
  readonly listeners?: readonly ListeningSocket[]
  readonly connections?: readonly Connection[]
  /** `goto CHAIN` or `accept`; null for an address that the map does not have. */
  readonly policy?: string | null
}

/** `POST /flows`: flows that policies of this node's pods denied, or would have if they were not audited. */
export interface FlowsRequest {
  /** Only what was seen after this point; from the oldest when absent. */
  readonly after?: number
  /** Of pods of this namespace alone. */
  readonly namespace?: string
}

export interface FlowsResponse {
  readonly node: string
  /** In the order in which they were seen last; the oldest of more than 4096 are forgotten. */
  readonly flows: readonly DeniedFlow[]
  /** Where to go on: the next request's `after`. */
  readonly next: number
}

/** `POST /connections`: what the pods of a namespace talk with now, by this node's conntrack. */
export interface ConnectionsRequest {
  readonly namespace: string
}

export interface ConnectionsResponse {
  readonly node: string
  /** Each once, as policies see them: after the choice of an endpoint. TCP only where it was answered. */
  readonly flows: readonly {
    readonly source: Address
    readonly destination: Address
    readonly protocol: Transport | 'icmp'
    readonly port: number
  }[]
}

/** Packets that go from one pod to one peer at one port, or the other way. */
export interface DeniedFlow {
  readonly sequence: number
  /** `cut`: a connection that was open when policies came to deny it. */
  readonly verdict: 'denied' | 'audited' | 'cut'
  /** Of the pod. */
  readonly direction: 'egress' | 'ingress'
  /** The pod whose policies said so, as `namespace/name`. */
  readonly pod: string
  readonly address: Address
  readonly peer: { readonly address: Address; readonly pod?: string; readonly node?: string }
  /** `tcp`, `udp`, `sctp`, `icmp` or `ip protocol 47`. */
  readonly protocol: string
  readonly port?: number
  /** `networkpolicy/shop/web`: every policy that isolates the pod there; none when they have changed since. */
  readonly policies: readonly string[]
  /** RFC 3339. */
  readonly firstSeen: string
  readonly lastSeen: string
  /** How many were logged: at most 10 a second for pods with the same policies. Of what was cut: how many connections. */
  readonly packets: number
}

/** One Service port in the kernel beside what it should be there. */
export interface ObservedFrontend {
  readonly family: Family
  /** `706c:3` for three endpoints, `706c:0` for silence, `706d:…` by policy Local, `706e:…` and `706f:…` with affinity; null when it has none. */
  readonly class: string | null
  /** `10.244.1.5 . 8080`; with a class of policy Local, for who comes from outside. With affinity those that have a seat. */
  readonly endpoints: readonly string[]
  /** Policy Local: the same for pods and the node itself. */
  readonly inside: readonly string[]
  /** Whether the port is refused: the address where no port answers, or the external port that nobody serves. */
  readonly known: boolean
  /** What the agent wants there; null when it knows no such frontend. */
  readonly desired: {
    readonly service: string
    readonly class: string | null
    readonly endpoints: readonly string[]
    readonly inside: readonly string[]
  } | null
}
