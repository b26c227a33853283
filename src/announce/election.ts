import type { Address } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import type { Ack, Heartbeat, Message, Move } from './message.ts'
import { Moves } from './moves.ts'
import { Peers } from './peers.ts'
import { rankNodes } from './rank.ts'
import { Tally } from './tally.ts'
import { type Timing, trustedPart } from './timing.ts'
import { Voter } from './voter.ts'

/** What the election asks its surroundings to do. */
export type Effect =
  | { readonly kind: 'send'; readonly to: string | 'all'; readonly message: Message }
  /** This node answers for the address from now on. `isFirst`: nobody is known to have held it. */
  | { readonly kind: 'taken'; readonly address: Address; readonly isFirst: boolean }
  /** It must not answer any more, and did not since `holds` turned false. */
  | { readonly kind: 'lost'; readonly address: Address; readonly why: string }
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

interface Claimed {
  readonly claim: AddressClaim
  readonly ranked: readonly string[]
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
  readonly #voter: Voter
  readonly #tally: Tally
  readonly #peers: Peers
  readonly #moves: Moves
  readonly #claims = new Map<Address, Claimed>()
  readonly #held = new Set<Address>()
  readonly #ownerless = new Map<Address, number>()
  readonly #pausedUntil = new Map<Address, number>()
  /** Since when an address is asked for without a majority. */
  readonly #lackingSince = new Map<Address, number>()
  readonly #seenHeld = new Set<Address>()
  #blocked: ReadonlySet<Address> = new Set()
  #members: readonly string[] = []
  #isDraining = false
  #nextHeartbeat: number
  #hasNews = false
  #effects: Effect[] = []

  constructor(options: ElectionOptions, now: number) {
    this.#options = options
    this.#voter = new Voter(options.node, now)
    this.#tally = new Tally(options.node, options.timing.leaseMs * trustedPart)
    this.#peers = new Peers(options.timing.leaseMs)
    this.#moves = new Moves()
    this.#nextHeartbeat = now
  }

  /** All nodes that vote, this one included; messages of others are passed over. */
  setMembers(names: Iterable<string>): void {
    this.#members = [...new Set(names)]
    this.#peers.keep(this.#members)
  }

  /** The addresses that there are and who may hold them. One that this node may not hold any more goes to another, or is let go. */
  setClaims(claims: Iterable<AddressClaim>, now: number): readonly Effect[] {
    const before = new Map(this.#claims)
    this.#claims.clear()
    for (const claim of claims) this.#claims.set(claim.address, rank(claim, before.get(claim.address)))
    for (const address of before.keys()) if (!this.#claims.has(address)) this.#forget(address)
    for (const address of this.#tally.wanted()) {
      const claimed = this.#claims.get(address)
      if (claimed === undefined) this.#release(address, 'nobody asks for it any more')
      else if (!claimed.ranked.includes(this.#options.node)) this.#handOver(address, now, 'this node may not hold it')
    }
    return this.#flush(now)
  }

  /** Addresses that this node cannot announce just now, such as those of a link that is down: let go at once, and not taken. */
  setBlocked(addresses: ReadonlySet<Address>, now: number): readonly Effect[] {
    this.#blocked = addresses
    for (const address of this.#tally.wanted())
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
    this.#tally.arbiterUntil = until
  }

  /** Whether the votes of other nodes alone are no majority, so that the API server's is needed. */
  needsArbiter(now: number): boolean {
    return this.#hasArbiter() && this.#tally.contacts(this.#members, now) < this.#majority(now)
  }

  /** Whether this node may answer for the address at this moment; to be asked before every answer. */
  holds(address: Address, now: number): boolean {
    return this.#held.has(address) && this.#hasMajority(address, now)
  }

  /** Who holds what, as this node knows it. */
  owners(now: number): ReadonlyMap<Address, string> {
    const owners = new Map(this.#peers.owners(now))
    for (const address of this.#held) if (this.holds(address, now)) owners.set(address, this.#options.node)
    return owners
  }

  /** Hands the address to a node that is alive, once that is ready for it. False when this node does not hold it, or that one cannot. */
  move(address: Address, to: string, now: number): { readonly done: boolean; readonly effects: readonly Effect[] } {
    const isFit = to !== this.#options.node && this.#peers.isAble(to, now)
    const done = isFit && this.holds(address, now) && this.#claims.get(address)?.ranked.includes(to) === true
    if (done) this.#beginMove(address, to, now)
    return { done, effects: this.#flush(now) }
  }

  /** This node is ready to take an address that `prepare` told. */
  prepared(address: Address, from: string, now: number): readonly Effect[] {
    this.#send(from, { kind: 'move', phase: 'ready', from: this.#options.node, to: from, address })
    return this.#flush(now)
  }

  receive(message: Message, now: number): readonly Effect[] {
    if (message.from === this.#options.node || !this.#members.includes(message.from)) return []
    if (message.kind === 'heartbeat') this.#receiveHeartbeat(message, now)
    else if (message.to !== this.#options.node) return []
    else if (message.kind === 'ack') this.#receiveAck(message, now)
    else this.#receiveMove(message, now)
    return this.#flush(now)
  }

  /** Does what is due. To be called at `nextAt`, or earlier. */
  tick(now: number): readonly Effect[] {
    this.#dropLost(now)
    for (const { address, to } of this.#moves.expired(now)) this.#abortMove(address, to)
    const owners = this.#peers.owners(now)
    for (const [address, { ranked }] of this.#claims) {
      if (this.#tally.wants(address)) this.#giveUp(address, now)
      else if (owners.has(address)) this.#ownerless.delete(address)
      else this.#consider(address, ranked, now)
    }
    if (now >= this.#nextHeartbeat) this.#hasNews = true
    return this.#flush(now)
  }

  /** When `tick` has something to do next. */
  nextAt(now: number): number {
    let next = this.#nextHeartbeat
    for (const address of this.#claims.keys()) {
      if (this.#held.has(address)) continue
      const taken = this.#voter.takenUntil(address, this.#options.node, now)
      const due = Math.max(taken, this.#pausedUntil.get(address) ?? 0)
      if (due > now && due < next) next = due
    }
    return Math.max(next, now)
  }

  #receiveHeartbeat(heartbeat: Heartbeat, now: number): void {
    const ack = this.#voter.vote(heartbeat, now)
    if (ack === undefined) return
    this.#send(heartbeat.from, ack)
    this.#peers.hear(heartbeat, now)
    for (const { address, held } of heartbeat.wants) {
      if (held) this.#seenHeld.add(address)
      if (held) this.#ownerless.delete(address)
      if (!this.#tally.wants(address) || this.#hasMajority(address, now)) continue
      // Of two that ask at once the better one goes on; nobody goes on against a holder.
      if (held || this.#isBetter(address, heartbeat.from)) this.#withdraw(address, now, heartbeat.from)
    }
    for (const { address } of this.#moves.expectedFrom(heartbeat.from, now)) {
      const stillThere = heartbeat.wants.some((want) => want.address === address)
      if (!stillThere) this.#ask(address)
    }
  }

  #receiveAck(ack: Ack, now: number): void {
    if (ack.boot !== this.#options.boot) return
    this.#tally.count(ack, now)
    for (const { address, remainingMs } of ack.refused) {
      if (!this.#tally.wants(address) || this.#hasMajority(address, now)) continue
      // In a planned move the vote is given back within moments; else it runs out.
      const pauseMs = this.#moves.isExpected(address, now) ? 2 : Math.min(remainingMs + 1, this.#options.timing.leaseMs)
      this.#nextHeartbeat = Math.min(this.#nextHeartbeat, now + pauseMs)
    }
    this.#takeWon(now)
  }

  #receiveMove({ phase, from, address }: Move, now: number): void {
    if (phase === 'prepare' && this.#claims.get(address)?.ranked.includes(this.#options.node)) {
      this.#moves.expect(address, from, now)
      this.#effects.push({ kind: 'prepare', address, from })
    }
    if (phase === 'ready' && this.#moves.isGoingTo(address, from)) {
      this.#moves.end(address)
      this.#release(address, `handed over to ${from}`)
      // The heartbeat that gives the votes back leaves before the word to go.
      this.#heartbeat(now)
      this.#send(from, { kind: 'move', phase: 'go', from: this.#options.node, to: from, address })
    }
    if (phase === 'go' && this.#moves.isExpected(address, now)) this.#ask(address)
  }

  /** Asks for an address that nobody has, if it is this node's turn. */
  #consider(address: Address, ranked: readonly string[], now: number): void {
    const { node, timing } = this.#options
    const since = this.#ownerless.get(address) ?? now
    this.#ownerless.set(address, since)
    if (!ranked.includes(node) || this.#blocked.has(address) || !this.#isAble(now)) return
    if ((this.#pausedUntil.get(address) ?? 0) > now) return
    if (this.#voter.takenUntil(address, node, now) > now) return
    const able = ranked.filter((one) => one === node || this.#peers.isAble(one, now))
    // Whoever is first may see things otherwise, so the next ones do not wait for ever.
    const patienceMs = able.indexOf(node) * 2 * timing.leaseMs
    if (now - since >= patienceMs) this.#ask(address)
  }

  #ask(address: Address): void {
    if (this.#tally.wants(address) || this.#blocked.has(address) || !this.#claims.has(address)) return
    this.#tally.want(address)
    this.#hasNews = true
  }

  /** Votes that do not add up for a while are given back, for others to get a majority. */
  #giveUp(address: Address, now: number): void {
    const since = this.#hasMajority(address, now) ? undefined : (this.#lackingSince.get(address) ?? now)
    if (since === undefined) this.#lackingSince.delete(address)
    else if (now - since > this.#options.timing.leaseMs) this.#withdraw(address, now, undefined)
    else this.#lackingSince.set(address, since)
  }

  #withdraw(address: Address, now: number, for_: string | undefined): void {
    const pauseMs = this.#options.timing.intervalMs * (1 + this.#options.random())
    this.#pausedUntil.set(address, now + pauseMs)
    this.#release(address, for_ === undefined ? 'no majority' : `${for_} has it`)
  }

  #takeWon(now: number): void {
    for (const address of this.#tally.wanted()) {
      if (this.#held.has(address) || !this.#hasMajority(address, now)) continue
      this.#held.add(address)
      this.#moves.arrived(address)
      this.#ownerless.delete(address)
      this.#effects.push({ kind: 'taken', address, isFirst: !this.#seenHeld.has(address) })
      this.#seenHeld.add(address)
      this.#hasNews = true
    }
  }

  #dropLost(now: number): void {
    for (const address of this.#held) {
      if (this.#hasMajority(address, now)) continue
      this.#held.delete(address)
      this.#effects.push({ kind: 'lost', address, why: 'no majority' })
    }
  }

  #handOver(address: Address, now: number, why: string): void {
    const { node } = this.#options
    const ranked = this.#claims.get(address)?.ranked ?? []
    if (this.#moves.isGoing(address)) return
    const to = ranked.find((one) => one !== node && this.#peers.isAble(one, now))
    if (to === undefined || !this.#held.has(address)) this.#release(address, why)
    else this.#beginMove(address, to, now)
  }

  #beginMove(address: Address, to: string, now: number): void {
    this.#moves.begin(address, to, now)
    this.#send(to, { kind: 'move', phase: 'prepare', from: this.#options.node, to, address })
  }

  #abortMove(address: Address, to: string): void {
    this.#moves.end(address)
    const mayStay = !this.#isDraining && this.#claims.get(address)?.ranked.includes(this.#options.node) === true
    if (!mayStay) this.#release(address, `${to} did not get ready in time`)
  }

  #release(address: Address, why: string): void {
    this.#tally.drop(address)
    this.#lackingSince.delete(address)
    this.#hasNews = true
    if (this.#held.delete(address)) this.#effects.push({ kind: 'lost', address, why })
  }

  #forget(address: Address): void {
    this.#ownerless.delete(address)
    this.#pausedUntil.delete(address)
    this.#seenHeld.delete(address)
    this.#moves.end(address)
  }

  #isBetter(address: Address, other: string): boolean {
    const ranked = this.#claims.get(address)?.ranked ?? []
    const theirs = ranked.indexOf(other)
    return theirs >= 0 && theirs < ranked.indexOf(this.#options.node)
  }

  #isAble(now: number): boolean {
    return !this.#isDraining && this.#tally.contacts(this.#members, now, true) >= this.#majority(now)
  }

  #hasMajority(address: Address, now: number): boolean {
    return this.#tally.votes(address, this.#members, now) >= this.#majority(now)
  }

  /** More than half of the nodes, and of the API server if they are even; of the most that any node in reach knows of, when members change. */
  #majority(now: number): number {
    const members = Math.max(this.#members.length, this.#peers.mostMembers(now))
    return Math.floor(members / 2) + 1
  }

  #hasArbiter(): boolean {
    return this.#members.length % 2 === 0
  }

  #send(to: string, message: Message): void {
    this.#effects.push({ kind: 'send', to, message })
  }

  #heartbeat(now: number): void {
    const { node, boot, timing } = this.#options
    const wants = this.#tally.wanted().map((address) => ({ address, held: this.holds(address, now) }))
    const heartbeat: Heartbeat = {
      kind: 'heartbeat',
      from: node,
      boot,
      sequence: this.#tally.sent(now),
      leaseMs: timing.leaseMs,
      members: this.#members.length,
      able: this.#isAble(now),
      wants,
    }
    this.#hasNews = false
    this.#nextHeartbeat = now + timing.intervalMs
    this.#send('all', heartbeat)
    const own = this.#voter.vote(heartbeat, now)
    if (own !== undefined) this.#receiveAck(own, now)
  }

  #flush(now: number): readonly Effect[] {
    // A node that is alone wins by its own vote, which is news again.
    for (let i = 0; i < 2 && this.#hasNews; i++) this.#heartbeat(now)
    return this.#effects.splice(0)
  }
}

/** Ranking costs a hash per node, so that of a claim which did not change is kept. */
function rank(claim: AddressClaim, known: Claimed | undefined): Claimed {
  const isSame =
    known !== undefined &&
    known.claim.eligible.join() === claim.eligible.join() &&
    JSON.stringify([...(known.claim.preference ?? [])]) === JSON.stringify([...(claim.preference ?? [])])
  return { claim, ranked: isSame ? known.ranked : rankNodes(claim) }
}
