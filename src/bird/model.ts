import type { Address, Family, Prefix } from '../addr/index.ts'

/** A whole configuration of BIRD 2 that announces prefixes and imports none. */
export interface BirdConfig {
  /** Dotted quad, unique among the routers that talk to one another (RFC 6286). */
  readonly routerId: string
  /** Every prefix that any peer is told. */
  readonly prefixes: readonly Prefix[]
  readonly peers: readonly BirdPeer[]
}

/** One BGP session, or with `neighbor.range` as many as come over a link. */
export interface BirdPeer {
  /** Letters, digits, `.`, `-` and `_`; unique. */
  readonly name: string
  readonly localAsn: number
  readonly localAddress?: Address
  readonly neighbor:
    | { readonly address: Address; readonly port: number }
    /** Link-local neighbours that begin the session themselves. */
    | { readonly link: string }
  /** A number, or whichever the peer has: of our AS or of another. */
  readonly remoteAsn: number | 'internal' | 'external'
  readonly multihop: boolean
  readonly holdSeconds: number
  readonly keepaliveSeconds: number
  readonly connectRetrySeconds: number
  /** TCP MD5 (RFC 2385); without quotation marks and control characters. */
  readonly password?: string
  readonly bfd?: BirdBfd
  readonly gracefulRestart: boolean
  readonly families: readonly Family[]
  readonly exports: readonly BirdExport[]
}

/** BFD of one session (RFC 5880). */
export interface BirdBfd {
  readonly receiveMs: number
  readonly transmitMs: number
  readonly multiplier: number
  readonly passive: boolean
}

/** Prefixes that a peer is told with the same attributes. */
export interface BirdExport {
  readonly prefixes: readonly Prefix[]
  /** Towards peers of the own AS only. */
  readonly localPreference?: number
  /** RFC 1997: two parts; RFC 8092: three. */
  readonly communities: readonly (readonly [number, number] | readonly [number, number, number])[]
}
