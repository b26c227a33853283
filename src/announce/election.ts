import type { Address } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import { Ballot } from './ballot.ts'
import { Claims } from './claims.ts'
import type { Ack, Heartbeat, Message } from './message.ts'
import { Moves } from './moves.ts'
import { Patience } from './patience.ts'
import type { Timing } from './timing.ts'

/** A heartbeat names all that its sender holds, and is one datagram of 64 KiB: 900 IPv6 addresses at their longest fit. */
export const maximumWants = 900

/** What the election asks its surroundings to do. */
export type Effect =
  | { readonly kind: 'send'; readonly to: string | 'all'; readonly message: Message }
  /** This node answers for the address from now on. `isFirst`: nobody is known to have held it. */
  | { readonly kind: 'taken'; readonly address: Address; readonly isFirst: boolean }
  /** It must not answer any more, and did not since `holds` turned false. `to`: who gets it, in a planned move. */
  | { readonly kind: 'lost'; readonly address: Address; readonly why: string; readonly to?: string }
  /** Another node is about to hand the address over: get ready, then call `prepared`. */
  | { readonly kind: 'prepare'; readonly address: Address; readonly from: string }

export interface ElectionOptions {
  readonly node: string
  /** Different for each run of the node. */
  readonly boot: string
  readonly timing: Timing
  /** In [0, 1), for pauses of those that got in one another's way. */
  readonly random: () => number
}

/**
 * One node's part in deciding who holds which external address. Pure: time comes in as milliseconds of any clock that only
 * grows, and what is to be done comes out.
 *
 * A node holds an address while a majority of all nodes has voted for it, each vote for a lease that the node counts from
 * when it asked and the voter from when it heard, so that two never hold it at once, whatever is lost, late, twice or out of order.
 */
export class Election {
  readonly #options: ElectionOptions
  readonly #ballot: Ballot
  readonly #moves: Moves
  readonly #claims = new Claims()
  readonly #patience = new Patience()
  readonly #held = new Set<Address>()
  readonly #seenHeld = new Set<Address>()
  #blocked: ReadonlySet<Address> = new Set()
  #isDraining = false
  #nextHeartbeat: number
  #tickedAt: number
  /** The last heartbeat to all, and when it goes again to those that did not answer it. */
  #round = 0
  #nextRetry = Number.POSITIVE_INFINITY
  #hasNews = false
  #effects: Effect[] = []

  constructor(options: ElectionOptions, now: number) {
    this.#options = options
    this.#ballot = new Ballot(options, now)
    this.#moves = new Moves(options.node, {
      send: (to, message) => this.#send(to, message),
      prepare: (address, from) => this.#effects.push({ kind: 'prepare', address, from }),
      letGo: (address, to, at) => {
        this.#release(address, `handed over to ${to}`, to)
        this.#heartbeat(at)
      },
      ask: (address) => this.#ask(address),
    })
    this.#nextHeartbeat = now
    this.#tickedAt = now
  }

  /** All nodes that vote, this one included; messages of others are passed over. */
  setMembers(names: Iterable<string>): void {
    this.#ballot.setMembers(names)
  }

  /** The addresses that there are and who may hold them. One that this node may not hold any more goes to another, or is let go. */
  setClaims(claims: Iterable<AddressClaim>, now: number): readonly Effect[] {
    for (const address of this.#claims.set(claims)) this.#forget(address)
    for (const address of this.#ballot.wanted()) {
      if (!this.#claims.has(address)) this.#release(address, 'nobody asks for it any more')
      else if (!this.#claims.mayHold(address, this.#options.node))
        this.#handOver(address, now, 'this node may not hold it')
    }
    return this.#flush(now)
  }

  /** Addresses that this node cannot announce just now, such as those of a link that is down: let go at once, and not taken. */
  setBlocked(addresses: ReadonlySet<Address>, now: number): readonly Effect[] {
    this.#blocked = addresses
    for (const address of this.#ballot.wanted())
      if (addresses.has(address)) this.#release(address, 'this node cannot announce it')
    return this.#flush(now)
  }

  /** A node that is being drained takes nothing, and hands over what it holds. */
  setDraining(isDraining: boolean, now: number): readonly Effect[] {
    this.#isDraining = isDraining
    this.#hasNews = true
    if (isDraining) for (const address of [...this.#held]) this.#handOver(address, now, 'the node is being drained')
    return this.#flush(now)
  }

  /** Until when this node has the API server's vote, which breaks the tie of an even number of nodes; by this node's clock. */
  setArbiter(until: number): void {
    this.#ballot.setArbiter(until)
  }

  /** Whether the votes of other nodes alone are no majority, so that the API server's is needed. */
  needsArbiter(now: number): boolean {
    return this.#ballot.needsArbiter(now)
  }

  /** Whether this node may answer for the address at this moment; to be asked before every answer. */
  holds(address: Address, now: number): boolean {
    return this.#held.has(address) && this.#ballot.hasMajority(address, now)
  }

  /** Who holds what, as this node knows it. */
  owners(now: number): ReadonlyMap<Address, string> {
    const owners = new Map(this.#ballot.peers.owners(now))
    for (const address of this.#held) if (this.holds(address, now)) owners.set(address, this.#options.node)
    return owners
  }

  /** Hands the address to a node that is alive, once that is ready for it. False when this node does not hold it, or that one cannot. */
  move(address: Address, to: string, now: number): { readonly done: boolean; readonly effects: readonly Effect[] } {
    const isFit = to !== this.#options.node && this.#ballot.peers.isAble(to, now)
    const done = isFit && this.holds(address, now) && this.#claims.mayHold(address, to)
    if (done) this.#moves.begin(address, to, now)
    return { done, effects: this.#flush(now) }
  }

  /** This node is ready to take an address that `prepare` told. */
  prepared(address: Address, from: string, now: number): readonly Effect[] {
    this.#moves.prepared(address, from)
    return this.#flush(now)
  }

  receive(message: Message, now: number): readonly Effect[] {
    if (!this.#ballot.isOther(message.from)) return []
    if (message.kind === 'heartbeat') this.#receiveHeartbeat(message, now)
    else if (message.to !== this.#options.node) return []
    else if (message.kind === 'ack') {
      this.#receiveAck(message, now)
      if (this.#ballot.unanswered(this.#round, now).length === 0) this.#nextRetry = Number.POSITIVE_INFINITY
    } else this.#moves.receive(message, this.#claims.mayHold(message.address, this.#options.node), now)
    return this.#flush(now)
  }

  /** `taken` came too late to be carried out, as the lease had run out: it is told again when votes come again. */
  missed(address: Address): void {
    this.#held.delete(address)
  }

  /** Does what is due. To be called at `nextAt`, or earlier. */
  tick(now: number): readonly Effect[] {
    this.#tickedAt = now
    this.#dropLost(now)
    for (const { address, to } of this.#moves.takeExpired(now)) {
      const mayStay = !this.#isDraining && this.#claims.mayHold(address, this.#options.node)
      if (!mayStay) this.#release(address, `${to} did not get ready in time`)
    }
    const owners = this.#ballot.peers.owners(now)
    for (const address of this.#claims.addresses()) {
      if (this.#ballot.wants(address)) this.#giveUp(address, now)
      else if (owners.has(address)) this.#patience.hasOwner(address)
      else this.#consider(address, now)
    }
    if (now >= this.#nextHeartbeat) this.#hasNews = true
    else if (now >= this.#nextRetry) this.#retry(now)
    return this.#flush(now)
  }

  /** When `tick` has something to do next. */
  nextAt(now: number): number {
    let next = Math.min(this.#nextHeartbeat, this.#nextRetry)
    for (const address of this.#claims.addresses()) {
      if (this.#held.has(address)) continue
      const taken = this.#ballot.takenUntil(address, this.#tickedAt)
      const due = Math.max(taken, this.#patience.pausedUntil(address))
      if (due > this.#tickedAt && due < next) next = due
    }
    return Math.max(next, now)
  }

  #receiveHeartbeat(heartbeat: Heartbeat, now: number): void {
    const ack = this.#ballot.vote(heartbeat, now)
    if (ack === undefined) return
    this.#send(heartbeat.from, ack)
    for (const { address, held } of heartbeat.wants) {
      if (held) this.#seenHeld.add(address)
      if (held) this.#patience.hasOwner(address)
      if (!this.#ballot.wants(address) || this.#ballot.hasMajority(address, now)) continue
      // Of two that ask at once the better one goes on; nobody goes on against a holder.
      if (held || this.#claims.isBetter(address, heartbeat.from, this.#options.node))
        this.#withdraw(address, now, heartbeat.from)
    }
    this.#moves.heard(heartbeat, now)
  }

  #receiveAck(ack: Ack, now: number): void {
    if (!this.#ballot.count(ack, now)) return
    for (const { address, remainingMs } of ack.refused) {
      if (!this.#ballot.wants(address) || this.#ballot.hasMajority(address, now)) continue
      // In a planned move the vote is given back within moments; else it runs out.
      const pauseMs = this.#moves.isExpected(address, now) ? 2 : Math.min(remainingMs + 1, this.#options.timing.leaseMs)
      this.#nextHeartbeat = Math.min(this.#nextHeartbeat, now + pauseMs)
    }
    this.#takeWon(now)
  }

  /** Asks for an address that nobody has, if it is this node's turn. */
  #consider(address: Address, now: number): void {
    const { node, timing } = this.#options
    const ownerlessMs = this.#patience.ownerlessFor(address, now)
    if (!this.#claims.mayHold(address, node) || this.#blocked.has(address) || !this.#isAble(now)) return
    if (this.#patience.pausedUntil(address) > now) return
    if (this.#ballot.takenUntil(address, now) > now) return
    const able = this.#claims.ranked(address).filter((one) => one === node || this.#ballot.peers.isAble(one, now))
    // Whoever is first may see things otherwise, so the next ones do not wait for ever.
    const patienceMs = able.indexOf(node) * 2 * timing.leaseMs
    if (ownerlessMs >= patienceMs) this.#ask(address)
  }

  #ask(address: Address): void {
    if (this.#ballot.wants(address) || this.#blocked.has(address) || !this.#claims.has(address)) return
    if (this.#ballot.wantCount >= maximumWants) return
    this.#ballot.want(address)
    this.#hasNews = true
  }

  /** Votes that do not add up for a while are given back, for others to get a majority. */
  #giveUp(address: Address, now: number): void {
    const lackingMs = this.#patience.lackingFor(address, this.#ballot.hasMajority(address, now), now)
    if (lackingMs > this.#options.timing.leaseMs) this.#withdraw(address, now, undefined)
  }

  #withdraw(address: Address, now: number, for_: string | undefined): void {
    const pauseMs = this.#options.timing.intervalMs * (1 + this.#options.random())
    this.#patience.pause(address, now + pauseMs)
    this.#release(address, for_ === undefined ? 'no majority' : `${for_} has it`)
  }

  #takeWon(now: number): void {
    for (const address of this.#ballot.wanted()) {
      if (this.#held.has(address) || !this.#ballot.hasMajority(address, now)) continue
      this.#held.add(address)
      this.#moves.arrived(address)
      this.#patience.hasOwner(address)
      this.#effects.push({ kind: 'taken', address, isFirst: !this.#seenHeld.has(address) })
      this.#seenHeld.add(address)
      this.#hasNews = true
    }
  }

  #dropLost(now: number): void {
    for (const address of this.#held) {
      if (this.#ballot.hasMajority(address, now)) continue
      this.#held.delete(address)
      this.#effects.push({ kind: 'lost', address, why: 'no majority' })
    }
  }

  #handOver(address: Address, now: number, why: string): void {
    const { node } = this.#options
    if (this.#moves.isGoing(address)) return
    const to = this.#claims.ranked(address).find((one) => one !== node && this.#ballot.peers.isAble(one, now))
    if (to === undefined || !this.#held.has(address)) this.#release(address, why)
    else this.#moves.begin(address, to, now)
  }

  #release(address: Address, why: string, to?: string): void {
    this.#ballot.drop(address)
    this.#patience.released(address)
    this.#hasNews = true
    if (this.#held.delete(address)) this.#effects.push({ kind: 'lost', address, why, ...(to !== undefined && { to }) })
  }

  #forget(address: Address): void {
    this.#patience.forget(address)
    this.#seenHeld.delete(address)
    this.#moves.end(address)
  }

  #isAble(now: number): boolean {
    return !this.#isDraining && this.#ballot.isHeard(now)
  }

  #send(to: string, message: Message): void {
    this.#effects.push({ kind: 'send', to, message })
  }

  #heartbeat(now: number): void {
    const { timing } = this.#options
    this.#hasNews = false
    this.#nextHeartbeat = now + timing.intervalMs
    this.#nextRetry = now + timing.retryMs
    this.#round = this.#beat(['all'], now)
  }

  /** What is lost on the way costs a lease only when all that is sent again is lost too. */
  #retry(now: number): void {
    const silent = this.#ballot.unanswered(this.#round, now)
    this.#nextRetry = silent.length === 0 ? Number.POSITIVE_INFINITY : now + this.#options.timing.retryMs
    if (silent.length > 0) this.#beat(silent, now)
  }

  /** Gives the heartbeat's sequence number. */
  #beat(to: readonly string[], now: number): number {
    const isHeld = (address: Address): boolean => this.holds(address, now)
    const { heartbeat, own } = this.#ballot.heartbeat(now, this.#isAble(now), isHeld)
    for (const one of to) this.#send(one, heartbeat)
    if (own !== undefined) this.#receiveAck(own, now)
    return heartbeat.sequence
  }

  #flush(now: number): readonly Effect[] {
    // A node that is alone wins by its own vote, which is news again.
    for (let i = 0; i < 2 && this.#hasNews; i++) this.#heartbeat(now)
    return this.#effects.splice(0)
  }
}
