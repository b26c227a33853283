import type { Address } from '../addr/index.ts'

/** A packet of a followed connection, as one place saw it. */
export interface Sighting {
  /** `pod/shop/web-a`, `node/node-1`, `outside` */
  readonly place: string
  readonly way: 'request' | 'answer'
  /** `SYN`, `SYN-ACK`, `RST`, `ICMP port unreachable`, `datagram`, `echo request`, `INIT` */
  readonly packet: string
  readonly source: Address
  readonly sourcePort: number
  readonly destination: Address
  readonly destinationPort: number
  /** TTL or hop limit. */
  readonly ttl: number
}

/** A real packet that was sent, and every place that saw it or its answer. */
export interface Followed {
  readonly from: string
  readonly sightings: readonly Sighting[]
  /** What the sender was told: `connected`, `refused`, `nothing in 1.3 s`, … */
  readonly outcome: string
  readonly connected: boolean
  /** Places that could not be watched. */
  readonly blind: readonly string[]
}

/** What a followed packet proves. */
export interface Probed {
  readonly kind: 'agrees' | 'disagrees' | 'unseen'
  readonly says: string
  /** In the order of the way. */
  readonly hops: readonly {
    readonly place: string
    readonly expected: boolean
    readonly sightings: readonly Sighting[]
  }[]
}
