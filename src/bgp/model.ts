import type { Address, Family, Prefix } from '../addr/index.ts'
import type { Because, Finding } from '../cluster/index.ts'

/** What one node says to its BGP peers. */
export interface BgpModel {
  /** Undefined: the node speaks with nobody. */
  readonly routerId: string | undefined
  readonly peers: readonly Peer[]
  readonly findings: readonly Finding[]
}

/** A router that the node speaks with. */
export interface Peer {
  /** The BGPPeer's. */
  readonly name: string
  readonly localAsn: number
  readonly remoteAsn: number | 'internal' | 'external'
  readonly neighbor: { readonly address: Address; readonly port: number } | { readonly link: string }
  readonly localAddress: Address | undefined
  readonly multihop: boolean
  readonly holdSeconds: number
  readonly keepaliveSeconds: number
  readonly connectRetrySeconds: number
  readonly password: string | undefined
  readonly bfd: Bfd | undefined
  readonly gracefulRestart: boolean
  readonly families: readonly Family[]
  readonly routes: readonly Route[]
  readonly because: Because
}

export interface Bfd {
  readonly receiveMs: number
  readonly transmitMs: number
  readonly multiplier: number
  readonly passive: boolean
}

/** Two parts (RFC 1997) or three (RFC 8092). */
export type CommunityValue = readonly [number, number] | readonly [number, number, number]

/** A prefix that a peer is told. */
export interface Route {
  readonly prefix: Prefix
  readonly localPreference: number | undefined
  readonly communities: readonly CommunityValue[]
  /** The addresses of Services for which the prefix is told. */
  readonly because: readonly Because[]
}
