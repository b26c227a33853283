import type { Address } from '../addr/index.ts'
import { type Effect, Election, type Timing } from '../announce/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { Announcer } from './announcer.ts'
import { Heartbeats, type Member } from './heartbeats.ts'

/** How long an address that somebody else has is left alone, in milliseconds. */
const conflictPauseMs = 30_000

/** An address to be spoken for, as this node needs to know it. */
export interface Spoken {
  readonly claim: AddressClaim
  /** The names of this node's links to announce on; all that lead to other machines when undefined. */
  readonly links: readonly string[] | undefined
}

/** What the engine tells. Plain data: it may come from another thread. */
export type EngineEvent =
  | { readonly kind: 'owners'; readonly owners: ReadonlyMap<Address, string> }
  /** `from`: who held it until it was not heard any more; undefined in a planned move. */
  | { readonly kind: 'taken'; readonly address: Address; readonly from: string | undefined }
  /** `to`: who gets it, in a planned move. */
  | { readonly kind: 'lost'; readonly address: Address; readonly why: string; readonly to?: string }
  | { readonly kind: 'prepare'; readonly address: Address; readonly from: string }
  | { readonly kind: 'foreign'; readonly address: Address; readonly mac: string; readonly link: string }
  | { readonly kind: 'arbiter'; readonly isNeeded: boolean }
  | { readonly kind: 'trouble'; readonly message: string }

/** What it is told. */
export type EngineCommand =
  | { readonly kind: 'members'; readonly members: readonly Member[] }
  | { readonly kind: 'addresses'; readonly addresses: readonly Spoken[] }
  | { readonly kind: 'drain'; readonly isDraining: boolean }
  | { readonly kind: 'move'; readonly address: Address; readonly to: string }
  | { readonly kind: 'prepared'; readonly address: Address; readonly from: string }
  /** The API server's vote counts for so many milliseconds more. */
  | { readonly kind: 'arbiter'; readonly forMs: number }

/** What this node holds and knows, with ages in milliseconds. */
export interface EngineState {
  readonly held: readonly {
    readonly address: Address
    readonly why: string
    readonly heldMs: number
    readonly announcements: number
    readonly lastAnnouncedMs: number
  }[]
  readonly links: readonly { readonly name: string; readonly mac: string }[]
  /** The MAC addresses that answered for each address on this node's links, when asked to look. */
  readonly seen: ReadonlyMap<Address, readonly string[]>
}

/** How long the wire has to answer, in milliseconds. */
const lookMs = 300

export interface EngineOptions {
  readonly node: string
  readonly boot: string
  readonly timing: Timing
  readonly key: Uint8Array
  /** UDP, of heartbeats. */
  readonly port: number
  readonly host: Host
  readonly namespace: Namespace
  readonly onEvent: (event: EngineEvent) => void
}

/** One node's election with real time, real heartbeats and real announcements. It may run in a thread of its own. */
export class Engine {
  readonly #options: EngineOptions
  readonly #election: Election
  readonly #heartbeats: Heartbeats
  readonly #announcer: Announcer
  #spoken: ReadonlyMap<Address, Spoken> = new Map()
  readonly #conflicts = new Map<Address, number>()
  readonly #foreign = new Set<string>()
  /** Who is about to hand an address over, and why this node holds what it holds. */
  readonly #coming = new Map<Address, string>()
  readonly #reasons = new Map<Address, string>()
  #owners: ReadonlyMap<Address, string> = new Map()
  readonly #lastOwners = new Map<Address, string>()
  #arbiterNeeded = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: EngineOptions) {
    this.#options = options
    const { node, boot, timing, host, namespace, port, key, onEvent } = options
    const onTrouble = (message: string): void => onEvent({ kind: 'trouble', message })
    this.#election = new Election({ node, boot, timing, random: Math.random }, performance.now())
    this.#heartbeats = new Heartbeats({
      ...{ host, namespace, port, key, onTrouble },
      onMessage: (message) => this.#do((now) => this.#election.receive(message, now)),
    })
    this.#announcer = new Announcer(namespace.network, {
      mayAnswer: (address) => this.#election.holds(address, performance.now()),
      onForeign: (address, mac, link, first) => this.#onForeign(address, mac, link, first),
      onTrouble,
    })
  }

  command(command: EngineCommand): void {
    this.#do((now) => this.#obey(command, now))
  }

  /** `look`: asks the wire too. */
  async state(look: boolean): Promise<EngineState> {
    const seen = look ? await this.#announcer.look(this.#spoken.keys(), lookMs) : new Map<Address, string[]>()
    const now = performance.now()
    const held = [...this.#spoken.keys()].flatMap((address) => {
      const told = this.#election.holds(address, now) ? this.#announcer.told(address) : undefined
      if (told === undefined) return []
      const { since, times, last } = told
      const why = this.#reasons.get(address) ?? ''
      return { address, why, heldMs: now - since, announcements: times, lastAnnouncedMs: now - last }
    })
    return { held, links: this.#announcer.links.map(({ name, mac = '' }) => ({ name, mac })), seen }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#announcer.close()
    this.#heartbeats.close()
  }

  #obey(command: EngineCommand, now: number): readonly Effect[] {
    const election = this.#election
    switch (command.kind) {
      case 'members':
        this.#heartbeats.setMembers(this.#options.node, command.members)
        election.setMembers(command.members.map(({ name }) => name))
        return []
      case 'addresses':
        this.#spoken = new Map(command.addresses.map((one) => [one.claim.address, one]))
        return [
          ...election.setClaims(
            command.addresses.map(({ claim }) => claim),
            now,
          ),
          ...this.#block(now),
        ]
      case 'drain':
        return election.setDraining(command.isDraining, now)
      case 'move':
        return election.move(command.address, command.to, now).effects
      case 'prepared':
        return election.prepared(command.address, command.from, now)
      case 'arbiter':
        election.setArbiter(now + command.forMs)
        return election.tick(now)
      default:
        return command satisfies never
    }
  }

  #do(work: (now: number) => readonly Effect[]): void {
    if (this.#closed) return
    const now = performance.now()
    this.#perform(work(now))
    this.#tellOwners(now)
    const isNeeded = this.#election.needsArbiter(now)
    if (isNeeded !== this.#arbiterNeeded) this.#options.onEvent({ kind: 'arbiter', isNeeded })
    this.#arbiterNeeded = isNeeded
    clearTimeout(this.#timer)
    const pause = this.#election.nextAt(now) - performance.now()
    this.#timer = setTimeout(
      () => this.#do((then) => [...this.#election.tick(then), ...this.#block(then)]),
      Math.max(1, pause),
    )
  }

  #perform(effects: readonly Effect[]): void {
    // Silence and announcements before words to the other nodes: a release must be true when it is told.
    for (const effect of effects) if (effect.kind === 'lost') this.#announcer.release(effect.address)
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#heartbeats.send(effect.to, effect.message)
          break
        case 'taken':
          if (this.#election.holds(effect.address, performance.now())) this.#take(effect)
          else this.#election.missed(effect.address)
          break
        case 'prepare':
          this.#coming.set(effect.address, effect.from)
          this.#options.onEvent(effect)
          break
        case 'lost':
          this.#options.onEvent(effect)
          break
        default:
          effect satisfies never
      }
    }
  }

  #take({ address, isFirst }: Extract<Effect, { kind: 'taken' }>): void {
    const mover = this.#coming.get(address)
    const before = this.#lastOwners.get(address)
    this.#coming.delete(address)
    const isOwn = before === this.#options.node
    const from = mover === undefined && !isOwn ? before : undefined
    this.#reasons.set(address, this.#reasonFor(mover, isFirst ? undefined : before))
    this.#announcer.hold(address, this.#spoken.get(address)?.links, isFirst)
    this.#options.onEvent({ kind: 'taken', address, from })
  }

  #reasonFor(mover: string | undefined, before: string | undefined): string {
    if (mover !== undefined) return `${mover} handed it over`
    if (before === undefined) return 'nobody had it'
    return before === this.#options.node ? 'a majority voted for it again' : `${before} was not heard any more`
  }

  #tellOwners(now: number): void {
    const owners = this.#election.owners(now)
    if (owners.size === this.#owners.size && [...owners].every(([address, node]) => this.#owners.get(address) === node))
      return
    this.#owners = owners
    for (const [address, node] of owners) this.#lastOwners.set(address, node)
    this.#options.onEvent({ kind: 'owners', owners })
  }

  /** What cannot be announced now: links that are down or not there, and addresses that somebody else has. */
  #block(now: number): readonly Effect[] {
    const up = this.#announcer.links.map(({ name }) => name)
    const blocked = new Set<Address>()
    for (const [address, { links }] of this.#spoken) {
      const hasLink = links === undefined ? up.length > 0 : links.some((link) => up.includes(link))
      if (!hasLink || (this.#conflicts.get(address) ?? 0) > now) blocked.add(address)
    }
    return this.#election.setBlocked(blocked, now)
  }

  #onForeign(address: Address, mac: string, link: string, first: boolean): void {
    const id = `${address} ${mac} ${link}`
    if (!this.#foreign.has(id)) this.#options.onEvent({ kind: 'foreign', address, mac, link })
    this.#foreign.add(id)
    if (!first) return
    this.#conflicts.set(address, performance.now() + conflictPauseMs)
    this.#foreign.delete(id)
    this.#do((now) => this.#block(now))
  }
}
