import type { Address } from '../addr/index.ts'
import type { Ack, Heartbeat } from './message.ts'
import { Peers } from './peers.ts'
import { Tally } from './tally.ts'
import { type Timing, trustedPart } from './timing.ts'
import { Voter } from './voter.ts'

/** Votes as one node gives and gets them, among the nodes that there are. */
export class Ballot {
  readonly peers: Peers
  readonly #node: string
  readonly #boot: string
  readonly #timing: Timing
  readonly #voter: Voter
  readonly #tally: Tally
  #members: readonly string[] = []

  constructor({ node, boot, timing }: { node: string; boot: string; timing: Timing }, now: number) {
    this.#node = node
    this.#boot = boot
    this.#timing = timing
    this.#voter = new Voter(node, now)
    this.#tally = new Tally(node, timing.leaseMs * trustedPart)
    this.peers = new Peers(timing.leaseMs)
  }

  setMembers(names: Iterable<string>): void {
    this.#members = [...new Set(names)]
    this.peers.keep(this.#members)
  }

  isOther(name: string): boolean {
    return name !== this.#node && this.#members.includes(name)
  }

  wanted(): Address[] {
    return this.#tally.wanted()
  }

  get wantCount(): number {
    return this.#tally.size
  }

  wants(address: Address): boolean {
    return this.#tally.wants(address)
  }

  want(address: Address): void {
    this.#tally.want(address)
  }

  drop(address: Address): void {
    this.#tally.drop(address)
  }

  hasMajority(address: Address, now: number): boolean {
    return this.#tally.votes(address, this.#members, now) >= this.#majority(now)
  }

  /** Whether a majority has answered within the lease. */
  isHeard(now: number): boolean {
    return this.#tally.contacts(this.#members, now, true) >= this.#majority(now)
  }

  /** Whether only the API server's vote would make a majority of those that answer. */
  needsArbiter(now: number): boolean {
    return this.#members.length % 2 === 0 && this.#tally.contacts(this.#members, now) < this.#majority(now)
  }

  setArbiter(until: number): void {
    this.#tally.arbiterUntil = until
  }

  /** Until when this node's vote on the address is another's; 0 when it is free. */
  takenUntil(address: Address, now: number): number {
    return this.#voter.takenUntil(address, this.#node, now)
  }

  /** This node's vote on what another one asks for; undefined for a heartbeat that comes too late. */
  vote(heartbeat: Heartbeat, now: number): Ack | undefined {
    const ack = this.#voter.vote(heartbeat, now)
    if (ack !== undefined) this.peers.hear(heartbeat, now)
    return ack
  }

  /** Counts another node's vote; false when it answers a former run of this node. */
  count(ack: Ack, now: number): boolean {
    if (ack.boot !== this.#boot) return false
    this.#tally.count(ack, now)
    return true
  }

  /** The heartbeat that is to be sent now; this node's own vote on it is counted. */
  heartbeat(now: number, able: boolean, isHeld: (address: Address) => boolean): { heartbeat: Heartbeat; own?: Ack } {
    const heartbeat: Heartbeat = {
      kind: 'heartbeat',
      from: this.#node,
      boot: this.#boot,
      sequence: this.#tally.sent(now),
      leaseMs: this.#timing.leaseMs,
      members: this.#members.length,
      able,
      wants: this.#tally.wanted().map((address) => ({ address, held: isHeld(address) })),
    }
    const own = this.#voter.vote(heartbeat, now)
    return { heartbeat, ...(own && { own }) }
  }

  /** The nodes that are there, as far as is known, and have answered no heartbeat from this one on; this one answers its own at once. */
  unanswered(sequence: number, now: number): string[] {
    return this.#tally.unanswered(this.#members, sequence, now)
  }

  /**
   * More than half of the nodes, and of the API server if they are even; of the most that any node in reach knows of, while
   * members change.
   */
  #majority(now: number): number {
    return Math.floor(Math.max(this.#members.length, this.peers.mostMembers(now)) / 2) + 1
  }
}
