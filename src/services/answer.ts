import type { Address } from '../addr/index.ts'
import { type ObjectKey, splitKey } from '../cluster/index.ts'
import type { Because, Candidate, Transport } from './model.ts'

/** A new connection that stands on this node, on its way to somewhere. */
export interface ServiceQuestion {
  /** The address it comes from; a pod's own or the node's. */
  readonly source: Address
  readonly destination: Address
  /** ICMP is an echo request, with port 0: no Service has a port for it. */
  readonly protocol: Transport | 'icmp'
  readonly port: number
}

export type ServiceStep =
  | { readonly kind: 'not-a-service'; readonly says: string }
  | { readonly kind: 'unallocated'; readonly says: string }
  | { readonly kind: 'address'; readonly service: ObjectKey; readonly says: string; readonly because: Because }
  | { readonly kind: 'port'; readonly says: string; readonly because: Because }
  | { readonly kind: 'no-port'; readonly says: string; readonly because: Because }
  | { readonly kind: 'sources'; readonly says: string; readonly because: Because }
  | { readonly kind: 'inside'; readonly says: string; readonly because: Because }
  | { readonly kind: 'affinity'; readonly says: string; readonly because: Because }
  | { readonly kind: 'drain'; readonly says: string; readonly because: Because }
  | { readonly kind: 'hashing'; readonly says: string; readonly because: Because }
  | { readonly kind: 'survival'; readonly says: string; readonly because: Because }
  | {
      readonly kind: 'candidate'
      readonly candidate: Candidate
      readonly probability: number
      readonly says: string
      readonly because: Because
    }
  | { readonly kind: 'outcome'; readonly says: string; readonly because: Because }

/** How many of how many connections. */
export interface Share {
  readonly one: number
  readonly of: number
}

/** Under which address an endpoint sees the client: its own, one of the node that chose the endpoint, or the external address that was asked for. */
export type SeenAs = 'kept' | 'masqueraded' | 'external'

/** Where a connection may end, each with its probability. */
export interface Target {
  readonly address: Address
  readonly port: number
  readonly probability: number
  readonly share: Share
  readonly source: SeenAs
  readonly because: Because
}

export interface ServiceAnswer {
  readonly steps: readonly ServiceStep[]
  readonly outcome: /** The packet goes on as it is. */
    | { readonly kind: 'pass' }
    | { readonly kind: 'balance'; readonly service: ObjectKey; readonly targets: readonly Target[] }
    | { readonly kind: 'reject'; readonly reason: 'no-endpoints' | 'no-such-port'; readonly because: Because }
    | {
        readonly kind: 'drop'
        readonly reason: 'no-local-endpoints' | 'unallocated' | 'source-not-allowed'
        readonly because: Because
      }
}

/** The namespace and name of the Service that an answer is about, if it is about one. */
export function findSubject(answer: ServiceAnswer): { readonly namespace: string; readonly name: string } | undefined {
  const step = answer.steps.find((one) => one.kind === 'address')
  return step?.kind === 'address' ? splitKey(step.service) : undefined
}
