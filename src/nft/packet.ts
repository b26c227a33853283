import type { Address } from '../addr/index.ts'
import type { Expression } from './language.ts'

/** Addresses and ports of one direction of a connection. */
export interface Tuple {
  readonly source: Address
  readonly destination: Address
  readonly sourcePort?: number
  readonly destinationPort?: number
}

/** A packet for `trace`, as a rule can see it. What is absent is not in the packet: a match of it fails. */
export interface Packet extends Tuple {
  readonly family: 4 | 6
  /** By nft's word: `tcp`, `udp`, `icmp`, `ipv6-icmp`, `sctp`. */
  readonly protocol: string
  readonly icmpType?: string
  readonly tcpFlags?: string
  readonly inputInterface?: string
  readonly outputInterface?: string
  readonly mark?: number
  /** A classid, as `meta priority` prints it; `none` when absent. */
  readonly priority?: string
  readonly socketUid?: number
  readonly packetType?: 'host' | 'broadcast' | 'multicast' | 'other'
  readonly etherSource?: string
  readonly etherDestination?: string
  readonly conntrack: Conntrack
}

/** What conntrack knows of the packet's connection before the trace. */
export interface Conntrack {
  readonly state: 'new' | 'established' | 'related' | 'invalid' | 'untracked'
  /** Words of `ct status`, e.g. `dnat`. */
  readonly status?: readonly string[]
  readonly mark?: number
  readonly direction?: 'original' | 'reply'
  /** Of both directions, where conntrack accounts them; 0 when absent. */
  readonly packets?: number
  /** The first packet's own addresses; those of the packet itself when absent. */
  readonly original?: Tuple
  readonly reply?: Tuple
}

/** What the world around the packet answers. */
export interface Surroundings {
  /** `fib … type` of an address: `local`, `unicast`, … */
  readonly addressType?: (address: Address) => string
  /** `fib saddr . iif oif` and the like: the interface by which an address is reached, if any. */
  readonly outputTo?: (address: Address) => string | undefined
  /** The number below `modulus` that a `numgen` or `jhash` yields; 0 when absent. */
  readonly choose?: (modulus: number, expression: Expression) => number
}
