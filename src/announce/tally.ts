import type { Address } from '../addr/index.ts'
import type { Ack } from './message.ts'

/** Heartbeats whose answers still count. */
const remembered = 256

interface Wanted {
  /** The first heartbeat that asked for it without a break since. */
  readonly since: number
  /** By voter: until when its vote counts, by this node's clock. */
  readonly votes: Map<string, number>
}

/** The votes that one node has collected. Each counts from when the heartbeat that asked for it was sent. */
export class Tally {
  /** Until when this node has the API server's vote. */
  arbiterUntil = 0
  readonly #node: string
  readonly #trustedMs: number
  readonly #wanted = new Map<Address, Wanted>()
  readonly #contacts = new Map<string, number>()
  /** By voter: the latest heartbeat that it answered. */
  readonly #answered = new Map<string, number>()
  readonly #sentAt = new Map<number, number>()
  #sequence = 0

  constructor(node: string, trustedMs: number) {
    this.#node = node
    this.#trustedMs = trustedMs
  }

  wanted(): Address[] {
    return [...this.#wanted.keys()]
  }

  get size(): number {
    return this.#wanted.size
  }

  wants(address: Address): boolean {
    return this.#wanted.has(address)
  }

  want(address: Address): void {
    this.#wanted.set(address, { since: this.#sequence + 1, votes: new Map() })
  }

  drop(address: Address): void {
    this.#wanted.delete(address)
  }

  /** The number of a heartbeat that is sent now. */
  sent(now: number): number {
    this.#sequence++
    this.#sentAt.set(this.#sequence, now)
    this.#sentAt.delete(this.#sequence - remembered)
    return this.#sequence
  }

  /** Counts what an answer to one of this run's heartbeats grants. */
  count({ from, sequence, refused }: Ack, now: number): void {
    const sentAt = this.#sentAt.get(sequence)
    if (sentAt === undefined) return
    this.#answered.set(from, Math.max(this.#answered.get(from) ?? 0, sequence))
    const until = sentAt + this.#trustedMs
    if (until <= now) return
    this.#contacts.set(from, Math.max(this.#contacts.get(from) ?? 0, until))
    const no = new Set(refused.map(({ address }) => address))
    for (const [address, { since, votes }] of this.#wanted) {
      // An answer to what was asked before it was given back says nothing about now.
      if (sequence < since || no.has(address)) continue
      votes.set(from, Math.max(votes.get(from) ?? 0, until))
    }
  }

  /** How many of these voters' votes this node has on the address. */
  votes(address: Address, voters: readonly string[], now: number): number {
    const wanted = this.#wanted.get(address)
    if (wanted === undefined) return 0
    const count = voters.filter((voter) => (wanted.votes.get(voter) ?? 0) > now).length
    return count + this.#arbiter(voters, now)
  }

  /** How many of these voters answered within the lease, this node included. */
  contacts(voters: readonly string[], now: number, withArbiter = false): number {
    const count = voters.filter((voter) => voter === this.#node || (this.#contacts.get(voter) ?? 0) > now).length
    return withArbiter ? count + this.#arbiter(voters, now) : count
  }

  /** Those of these voters that answered within the lease, but no heartbeat from this one on. */
  unanswered(voters: readonly string[], sequence: number, now: number): string[] {
    return voters.filter(
      (voter) => (this.#contacts.get(voter) ?? 0) > now && (this.#answered.get(voter) ?? 0) < sequence,
    )
  }

  #arbiter(voters: readonly string[], now: number): number {
    return voters.length % 2 === 0 && this.arbiterUntil > now ? 1 : 0
  }
}
