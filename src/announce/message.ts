import type { Address } from '../addr/index.ts'

/** What nodes tell one another about external addresses. */
export type Message = Heartbeat | Ack | Move

/** Sent to every node in each interval, and at once when something changed. It is the whole truth about its sender. */
export interface Heartbeat {
  readonly kind: 'heartbeat'
  readonly from: string
  /** Told apart from former runs of the sender. */
  readonly boot: string
  /** Grows by one with each heartbeat of the run. */
  readonly sequence: number
  readonly leaseMs: number
  /** How many nodes the sender knows of, itself included. */
  readonly members: number
  /** Whether the sender may take more: it hears a majority, and is not being drained. */
  readonly able: boolean
  /** The addresses that it asks votes for; what is not named is given back. */
  readonly wants: readonly Want[]
}

export interface Want {
  readonly address: Address
  /** Whether a majority has voted for it, so that it answers for the address. */
  readonly held: boolean
}

/** The vote of `from` on all that one heartbeat of `to` asked for, except what is refused. */
export interface Ack {
  readonly kind: 'ack'
  readonly from: string
  readonly to: string
  readonly boot: string
  readonly sequence: number
  readonly refused: readonly Refusal[]
}

export interface Refusal {
  readonly address: Address
  /** Who has the vote; empty while the voter has just started. */
  readonly holder: string
  readonly remainingMs: number
}

/** A planned move: the holder asks another to prepare, that one is ready, the holder lets go. */
export interface Move {
  readonly kind: 'move'
  readonly phase: 'prepare' | 'ready' | 'go'
  readonly from: string
  readonly to: string
  readonly address: Address
}
