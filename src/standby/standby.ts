import { setTimeout as pause } from 'node:timers/promises'
import { type Address, contains } from '../addr/index.ts'
import { carryOn, carryOne, handOver, type Taken } from './carry-on.ts'
import type { Cared, StandbyConfig, StandbyOptions, StandbyState } from './contract.ts'
import { Copies } from './copies.ts'
import { type Flow, udp } from './flow.ts'
import { Ledger } from './ledger.ts'
import type { Message } from './message.ts'
import { Publisher } from './publisher.ts'
import { Subscriber } from './subscriber.ts'
import { StandbyTables } from './tables.ts'

/** How long the former holder of an address goes on to tell of its connections, and the new one to listen, in milliseconds. */
const lingerMs = 5000
/** How long the next holder waits for everything that the former one knows, in milliseconds. */
const prepareMs = 1000

/** One node's part in letting connections survive the holder of their address: it tells of its own, keeps copies of others', and carries them on. */
export class Standby {
  readonly #options: StandbyOptions
  readonly #tables: StandbyTables
  readonly #ledger: Ledger
  readonly #publisher: Publisher
  readonly #subscriber: Subscriber
  readonly #copies = new Copies()
  readonly #held = new Set<Address>()
  /** Addresses that this node tells of although it lost them, and those that it still hears of although it took them. */
  readonly #lingering = new Set<Address>()
  readonly #trailing = new Set<Address>()
  /** Who is about to hand an address over, or just did. */
  readonly #preparing = new Map<Address, { readonly from: string; readonly timer: NodeJS.Timeout }>()
  readonly #lastOwners = new Map<Address, string>()
  readonly #taken = new Map<Address, Taken & { ms: number }>()
  #cared: ReadonlyMap<Address, Cared> = new Map()
  #config: StandbyConfig = { members: [], addresses: [], podPrefixes: {}, boundPrefixes: [] }
  readonly #timers = new Map<Address, NodeJS.Timeout>()
  /** Addresses that are held and not carried on yet, and those of them that are about to be. */
  readonly #toTake = new Set<Address>()
  readonly #ready = new Set<Address>()
  #taking: Promise<void> | undefined
  #refreshing: NodeJS.Immediate | undefined
  #closed = false

  constructor(options: StandbyOptions) {
    this.#options = options
    const { namespace, onTrouble } = options
    this.#tables = new StandbyTables(namespace.network)
    this.#ledger = new Ledger(namespace.network, (flow, isGone) => {
      // What ends here after the address has gone goes on at the next holder.
      if (!isGone || this.#held.has(flow.address)) this.#publisher.tell(flow, isGone)
    })
    this.#publisher = new Publisher({
      ...options,
      flowsOf: (address) => (this.#tells(address) ? this.#ledger.flowsOf(address) : undefined),
      onTrouble,
    })
    this.#subscriber = new Subscriber({ ...options, onMessage: (from, message) => this.#hear(from, message) })
  }

  configure(config: StandbyConfig): Promise<void> {
    const { node } = this.#options
    this.#config = config
    this.#cared = new Map(config.addresses.map((one) => [one.address, one]))
    this.#subscriber.setMembers(node, config.members)
    this.#publisher.listen(config.members.find(({ name }) => name === node)?.addresses ?? [])
    return this.#refresh()
  }

  /** Who holds what now; addresses without a holder are not named. */
  setOwners(owners: ReadonlyMap<Address, string>): Promise<void> {
    for (const [address, owner] of owners) this.#lastOwners.set(address, owner)
    return this.#refresh()
  }

  /** Before this node takes an address in a planned move; resolves when it knows what `from` knows, or cannot wait any longer. */
  async prepare(address: Address, from: string): Promise<void> {
    if (!this.#cared.has(address)) return
    clearTimeout(this.#preparing.get(address)?.timer)
    const timer = setTimeout(() => {
      this.#preparing.delete(address)
      void this.#refresh()
    }, prepareMs + lingerMs).unref()
    this.#preparing.set(address, { from, timer })
    const ready = this.#refresh()
    const end = performance.now() + prepareMs
    while (this.#copies.find(address)?.from !== from && performance.now() < end) await pause(2)
    // Those of this node's own pods still arrive by the former holder.
    const flows = this.#copies.find(address)?.flows.values() ?? []
    for (const flow of flows)
      if (!this.#isPodOf(this.#options.node, flow)) carryOne(this.#options.namespace.network, flow)
    await ready
  }

  /** This node answers for the address from now on; what is not known of it waits until `take`. */
  hold(address: Address): void {
    this.#held.add(address)
    this.#lingering.delete(address)
    this.#toTake.add(address)
  }

  /** The connections of an address that this node answers for go on here. Resolves when the kernel has them. */
  take(address: Address): Promise<void> {
    this.hold(address)
    this.#ready.add(address)
    // What comes in one burst is carried on together.
    this.#taking ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#carryOn())
    return this.#taking
  }

  async #carryOn(): Promise<void> {
    this.#taking = undefined
    const begun = performance.now()
    const copies = new Map<Address, ReadonlyMap<string, Flow>>()
    for (const address of this.#ready) {
      const copy = this.#cared.has(address) && this.#held.has(address) ? this.#copies.find(address) : undefined
      if (copy === undefined) continue
      // One that did not hand over goes on to translate what its own pods have, if it lives at all.
      const isPlanned = this.#preparing.get(address)?.from === copy.from
      const flows = [...copy.flows].filter(([, flow]) => isPlanned || !this.#isPodOf(copy.from, flow))
      copies.set(address, new Map(flows))
    }
    if (copies.size > 0) {
      for (const [address, taken] of carryOn(this.#options.namespace.network, copies)) {
        this.#taken.set(address, { ...taken, ms: performance.now() - begun })
        this.#trailing.add(address)
        this.#later(this.#trailing, address)
      }
    }
    for (const address of this.#ready) this.#toTake.delete(address)
    this.#ready.clear()
    await this.#refresh()
  }

  /** What is known of the address' flows of datagrams with pods of a node. */
  datagrams(address: Address, node: string): readonly Flow[] {
    const copy = this.#copies.find(address)
    if (copy === undefined) return []
    return [...copy.flows.values()].filter((flow) => flow.protocol === udp && this.#isPodOf(node, flow))
  }

  /**
   * This node does not answer for the address any more. In a planned move `to` gets it, and carries everything on, if it knows what there is; if not, what has begun
   * here goes on here, as after a crash.
   */
  lose(address: Address, to: string | undefined): Promise<void> {
    if (!this.#held.delete(address)) return Promise.resolve()
    this.#toTake.delete(address)
    this.#ready.delete(address)
    const next = this.#config.members.find(({ name }) => name === to)
    if (next !== undefined && this.#publisher.hasTold(address, next.addresses))
      for (const flow of this.#ledger.flowsOf(address))
        if (this.#isPodOf(this.#options.node, flow)) handOver(this.#options.namespace.network, flow)
    this.#trailing.delete(address)
    clearTimeout(this.#preparing.get(address)?.timer)
    this.#preparing.delete(address)
    this.#lingering.add(address)
    this.#later(this.#lingering, address)
    return this.#refresh()
  }

  state(): StandbyState {
    return {
      flows: this.#ledger.count,
      followers: this.#publisher.followers,
      sentBytes: this.#publisher.sentBytes,
      copies: this.#copies.list(),
      taken: [...this.#taken].map(([address, taken]) => ({ address, ...taken })),
    }
  }

  close(): void {
    this.#closed = true
    this.#ledger.close()
    this.#subscriber.close()
    this.#publisher.close()
  }

  /** Only the latest of an address' times counts: it may change hands several times within one. */
  #later(from: Set<Address>, address: Address): void {
    clearTimeout(this.#timers.get(address))
    const timer = setTimeout(() => {
      this.#timers.delete(address)
      from.delete(address)
      void this.#refresh()
    }, lingerMs).unref()
    this.#timers.set(address, timer)
  }

  #tells(address: Address): boolean {
    return this.#cared.has(address) && (this.#held.has(address) || this.#lingering.has(address))
  }

  async #refresh(): Promise<void> {
    if (this.#closed) return
    this.#follow()
    this.#ledger.setAddresses(new Set([...this.#cared.keys()].filter((address) => this.#tells(address))))
    this.#publisher.refresh()
    const cared = [...this.#cared.values()]
    try {
      await this.#tables.set({
        guarded: cared.filter(({ address }) => !this.#isKnown(address)).map(({ address }) => address),
        copied: cared.filter((one) => this.#isWaiting(one)).map(({ address }) => address),
        sources: cared
          .filter(({ address }) => this.#isNear(address))
          .flatMap(({ address, ports }) => ports.map((one) => ({ address, ...one }))),
        podPrefixes: Object.values(this.#config.podPrefixes).flat(),
        boundPrefixes: this.#config.boundPrefixes,
      })
    } catch (error) {
      this.#options.onTrouble(`connections do not survive this node: ${String(error)}`)
    }
  }

  /**
   * Whether the address' flows are to be carried on here should its holder fall silent. Not in a planned move, which has the old entries until the
   * new ones are there, nor just after one: some clients have not heard of it yet.
   */
  #isWaiting({ address, isRouted = false }: Cared): boolean {
    const isMoving = this.#preparing.has(address) || this.#lingering.has(address)
    return !this.#isKnown(address) && !isMoving && !isRouted && this.#copies.find(address) !== undefined
  }

  /** Whether this node has the address and its connections. */
  #isKnown(address: Address): boolean {
    return this.#held.has(address) && !this.#toTake.has(address)
  }

  /** What comes in one burst changes the tables once. */
  #refreshSoon(): void {
    this.#refreshing ??= setImmediate(() => {
      this.#refreshing = undefined
      void this.#refresh()
    })
  }

  /** Whether nodes on this node's segment find the holder by themselves. */
  #isNear(address: Address): boolean {
    if (!this.#held.has(address)) return false
    const route = this.#options.namespace.network.lookupRoute(address)
    return route?.link !== undefined && route.gateway === undefined
  }

  #isPodOf(node: string, { endpoint }: Flow): boolean {
    return this.#config.podPrefixes[node]?.some((prefix) => contains(prefix, endpoint)) === true
  }

  #follow(): void {
    const wanted = new Map<string, Address[]>()
    const kept = new Set<Address>()
    for (const { address } of this.#cared.values()) {
      const source = this.#sourceOf(address)
      if (source === undefined) continue
      kept.add(address)
      wanted.set(source, [...(wanted.get(source) ?? []), address])
    }
    this.#copies.keep(kept)
    this.#subscriber.follow(wanted)
  }

  /** The node that this one hears of the address' connections from, if any. */
  #sourceOf(address: Address): string | undefined {
    const { node } = this.#options
    const isTrailing = this.#trailing.has(address) || this.#toTake.has(address)
    if (this.#held.has(address)) return isTrailing ? this.#copies.find(address)?.from : undefined
    const from = this.#preparing.get(address)?.from
    if (from !== undefined) return from
    const owner = this.#lastOwners.get(address)
    return owner !== node && this.#cared.get(address)?.standbys.includes(node) === true ? owner : undefined
  }

  #hear(from: string, message: Message): void {
    const news = this.#copies.take(from, message, (address) => this.#cared.has(address))
    for (const flow of news) {
      const isHere = this.#held.has(flow.address) && (this.#preparing.has(flow.address) || !this.#isPodOf(from, flow))
      if (isHere) carryOne(this.#options.namespace.network, flow)
    }
    if (message.kind === 'end') this.#refreshSoon()
  }
}
