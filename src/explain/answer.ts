import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Because, Finding } from '../cluster/index.ts'
import type { SeenAs } from '../services/index.ts'
import type { Probed } from './sighting.ts'

/** Transport of the connection in question. */
export type Transport = 'tcp' | 'udp' | 'sctp'

/** What is sent: the beginning of a connection, or an echo request of ICMP or ICMPv6 (`ping`), which has no port. */
export type Protocol = Transport | 'icmp'

/** One end of the question, as asked. */
export type End =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'name'; readonly name: string }

export interface Question {
  readonly from: End
  readonly to: End
  readonly transport: Protocol
  /** A number or the name of a Service's or container's port; may be absent where the target has one port alone. */
  readonly port?: number | string
  readonly family?: Family
}

/** `allow`: it arrives. `deny`: something refuses or drops it. `pass`: it leaves what the model covers. */
export interface Verdict {
  readonly kind: 'allow' | 'deny' | 'pass'
  readonly says: string
  readonly because: Because
}

/** The part of the way that a step is about. */
export type Stage =
  | 'name'
  | 'source'
  | 'request'
  | 'service'
  | 'endpoint'
  | 'policy'
  | 'egress'
  | 'route'
  | 'neighbour'
  | 'link'
  | 'socket'
  | 'reply'

/** What the kernel is asked in order to confirm a step. The step says what should come back. */
export type Observation =
  | {
      readonly kind: 'route'
      readonly node: string
      readonly destination: Address
      readonly expect: { readonly gateway?: Address; readonly link?: string; readonly prefix?: Prefix }
    }
  | { readonly kind: 'neighbour'; readonly node: string; readonly address: Address; readonly link?: string }
  | {
      readonly kind: 'frontend'
      readonly node: string
      readonly address: Address
      readonly transport: Transport
      readonly port: number
      /** Who asks, of the address's family. */
      readonly client?: Address
      /** Policy Local: whether it is asked what pods and the node itself get, which is in maps of its own. */
      readonly inside: boolean
      /** `address port` pairs that must be in the kernel's maps, no more and no less. */
      readonly expect: readonly { readonly address: Address; readonly port: number }[]
    }
  | {
      /** Entries of connections that this client has now; the next one makes its own. */
      readonly kind: 'conntrack'
      readonly node: string
      readonly clients: readonly Address[]
      readonly transport: Transport
      /** What the client asks for. */
      readonly asked: { readonly address: Address; readonly port: number }
      /** Who answers, and under which address it sees the client. */
      readonly endpoint: { readonly address: Address; readonly port: number }
      readonly seenAs: SeenAs
    }
  | {
      /** What this node's map of policies has for its pod at an address: chains are named by what they say. */
      readonly kind: 'policy'
      readonly node: string
      readonly direction: 'egress' | 'ingress'
      readonly address: Address
      readonly expect: string
    }
  | {
      readonly kind: 'listener'
      readonly node: string
      readonly pod: { readonly namespace: string; readonly name: string }
      readonly transport: Transport
      readonly port: number
    }
  | {
      /** Whether HAProxy of this node's gateway sends requests of a backend to an address and port. */
      readonly kind: 'server'
      readonly node: string
      /** As the gateway's model calls it. */
      readonly backend: string
      readonly address: Address
      readonly port: number
    }

/** What the kernel said, held against the model. */
export interface Observed {
  readonly kind: 'agrees' | 'disagrees' | 'unseen'
  readonly says: string
}

export interface Step {
  readonly stage: Stage
  /** The node on which it happens. */
  readonly node?: string
  readonly says: string
  readonly because?: Because
  readonly observation?: Observation
  readonly observed?: Observed
}

/** The way to one endpoint. */
export interface Branch {
  readonly endpoint: { readonly address: Address; readonly port: number; readonly pod?: string; readonly node?: string }
  /** How many of how many new connections take it. */
  readonly share: { readonly of: number; readonly one: number }
  readonly verdict: Verdict
  /** The client's address as the endpoint sees it, where it is reached. */
  readonly seenAs?: Address
  readonly steps: readonly Step[]
}

/** The whole answer; `schema` changes when a field changes its meaning. */
export interface Answer {
  readonly schema: 'plumb.network/why/v1'
  readonly question: Question
  readonly verdict: Verdict
  /** The client's address as the other end sees it, where it is reached and no endpoint is chosen. */
  readonly seenAs?: Address
  /** The way up to the choice of an endpoint, or the whole way where nothing is chosen. */
  readonly steps: readonly Step[]
  readonly branches: readonly Branch[]
  /** What a real packet met, where one was sent. */
  readonly probed?: Probed
  /** What was taken for granted, because no object says it. */
  readonly assumptions: readonly string[]
  readonly findings: readonly Finding[]
}
