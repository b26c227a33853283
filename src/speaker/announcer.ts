import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../addr/index.ts'
import { announcementMs } from '../announce/index.ts'
import type { Link, Network } from '../host/index.ts'
import { LinkSpeaker } from './link-speaker.ts'

/** Probes before an address is answered for the first time; fewer and sooner than RFC 5227's, whose seconds are for links that come up. */
const probes = 3
const probeGapMs = 100
/** RFC 5227: an address is defended this often at most, in milliseconds. */
const defendMs = 10_000

/** When a link that failed is tried again, in milliseconds. */
const reopenMs = 500
const lossMs = 60_000

/** An address that this node answers for, or is about to. */
interface Held {
  /** All that lead to other machines when undefined. */
  readonly links: readonly string[] | undefined
  readonly since: number
  told: number
  lastTold: number
  lastDefended: number
  probing: boolean
}

export interface AnnouncerEvents {
  /** Whether votes allow an answer at this moment. */
  mayAnswer(address: Address): boolean
  /** Another machine says that a held address is its own. `first`: it had it before this node answered once. */
  onForeign(address: Address, mac: string, link: string, first: boolean): void
  onTrouble(message: string): void
}

/** When and how often neighbours were told of an address, in milliseconds of the announcer's clock. */
export interface Told {
  readonly since: number
  readonly times: number
  readonly last: number
}

/** Answers for held addresses on the node's links, and tells neighbours of them by the schedule. */
export class Announcer {
  readonly #network: Network
  readonly #events: AnnouncerEvents
  readonly #held = new Map<Address, Held>()
  readonly #speakers = new Map<string, LinkSpeaker>()
  readonly #lookers = new Set<(address: Address, mac: string) => void>()
  readonly #watch: { close(): void }
  #ownMacs: ReadonlySet<string> = new Set()
  #timer: NodeJS.Timeout | undefined
  #reopening: NodeJS.Timeout | undefined
  #gatewaysKnown: ReadonlyMap<string, { address: Address; mac: string }[]> = new Map()
  #gatewaysAt = Number.NEGATIVE_INFINITY
  #lossTold = Number.NEGATIVE_INFINITY

  constructor(network: Network, events: AnnouncerEvents) {
    this.#network = network
    this.#events = events
    this.#watch = network.watchNetwork((what) => {
      if (what === 'link') this.#followLinks()
    })
    this.#followLinks()
  }

  /** Links that are up and lead to other machines. */
  get links(): readonly Link[] {
    return [...this.#speakers.values()].map(({ link }) => link)
  }

  /** Asks on the wire who has these addresses; the MAC addresses of all that answer within the time. */
  async look(addresses: Iterable<Address>, forMs: number): Promise<ReadonlyMap<Address, readonly string[]>> {
    const seen = new Map([...addresses].map((address) => [address, new Set<string>()]))
    const look = (address: Address, mac: string): void => void seen.get(address)?.add(mac)
    this.#lookers.add(look)
    for (const speaker of this.#speakers.values()) for (const address of seen.keys()) speaker.probe(address)
    await pause(forMs)
    this.#lookers.delete(look)
    return new Map([...seen].map(([address, macs]) => [address, [...macs]]))
  }

  /** Answers for the address from now on; after `probe` only when nobody else has it. */
  hold(address: Address, links: readonly string[] | undefined, probe: boolean): void {
    const now = performance.now()
    const held: Held = { links, since: now, told: 0, lastTold: 0, lastDefended: -defendMs, probing: probe }
    this.#held.set(address, held)
    for (const speaker of this.#speakersOf(held)) speaker.join(address)
    if (probe) this.#probe(address, held, 0)
    else this.#tell(address, held)
    this.#schedule()
  }

  /** Silent from now on. */
  release(address: Address): void {
    const held = this.#held.get(address)
    if (held === undefined) return
    this.#held.delete(address)
    for (const speaker of this.#speakersOf(held)) speaker.leave(address)
  }

  told(address: Address): Told | undefined {
    const held = this.#held.get(address)
    return held && { since: held.since, times: held.told, last: held.lastTold }
  }

  close(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#reopening)
    this.#watch.close()
    this.#held.clear()
    for (const speaker of this.#speakers.values()) speaker.close()
    this.#speakers.clear()
  }

  #probe(address: Address, held: Held, index: number): void {
    if (this.#held.get(address) !== held || !held.probing) return
    if (index === probes) {
      held.probing = false
      this.#tell(address, held)
      this.#schedule()
      return
    }
    for (const speaker of this.#speakersOf(held)) speaker.probe(address)
    setTimeout(() => this.#probe(address, held, index + 1), probeGapMs)
  }

  #tell(address: Address, held: Held): void {
    held.told++
    held.lastTold = performance.now()
    const known = this.#gateways()
    for (const speaker of this.#speakersOf(held)) speaker.announce(address, known.get(speaker.link.name) ?? [])
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    let next = Number.POSITIVE_INFINITY
    for (const held of this.#held.values())
      if (!held.probing) next = Math.min(next, held.since + announcementMs(held.told))
    if (next === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.#tellDue(), Math.max(0, next - performance.now()))
    this.#timer.unref()
  }

  #tellDue(): void {
    const now = performance.now()
    for (const [address, held] of this.#held) {
      if (held.probing || held.since + announcementMs(held.told) > now) continue
      if (this.#events.mayAnswer(address)) this.#tell(address, held)
      else held.told++
    }
    this.#schedule()
  }

  #onClaim(address: Address, mac: string, link: string): void {
    for (const look of this.#lookers) look(address, mac)
    const held = this.#held.get(address)
    if (held === undefined || this.#ownMacs.has(mac)) return
    const now = performance.now()
    this.#events.onForeign(address, mac, link, held.probing)
    if (held.probing || now - held.lastDefended < defendMs || !this.#events.mayAnswer(address)) return
    held.lastDefended = now
    this.#tell(address, held)
  }

  #mayAnswer(address: Address, link: string): boolean {
    const held = this.#held.get(address)
    if (held === undefined || held.probing) return false
    return (held.links?.includes(link) ?? true) && this.#events.mayAnswer(address)
  }

  #speakersOf({ links }: Held): LinkSpeaker[] {
    return [...this.#speakers.values()].filter(({ link }) => links?.includes(link.name) ?? true)
  }

  /** Opens links that came up, closes those that went, and tells the neighbours of a new link what is held. */
  #followLinks(): void {
    const links = this.#network.links()
    this.#ownMacs = new Set(links.flatMap(({ mac }) => mac ?? []))
    const wanted = new Map(links.filter(leadsOutside).map((link) => [link.name, link]))
    for (const [name, speaker] of this.#speakers) {
      const link = wanted.get(name)
      if (link?.index === speaker.link.index && link.mac === speaker.link.mac) continue
      speaker.close()
      this.#speakers.delete(name)
    }
    for (const [name, link] of wanted) if (!this.#speakers.has(name)) this.#open(name, link)
  }

  #open(name: string, link: Link): void {
    let speaker: LinkSpeaker
    try {
      speaker = new LinkSpeaker(this.#network, link, link.mac ?? '', {
        mayAnswer: (address, on) => this.#mayAnswer(address, on),
        onClaim: (address, mac, on) => this.#onClaim(address, mac, on),
        onLost: (reason) => this.#tellLoss(reason),
        onDown: () => {
          this.#speakers.delete(name)
          this.#reopenSoon()
        },
      })
    } catch (error) {
      this.#events.onTrouble(`${name} cannot be spoken on: ${String(error)}`)
      this.#reopenSoon()
      return
    }
    this.#speakers.set(name, speaker)
    for (const [address, held] of this.#held) {
      if (held.links?.includes(name) === false) continue
      speaker.join(address)
      if (!held.probing && this.#events.mayAnswer(address)) this.#tell(address, held)
    }
  }

  /** Once a minute at most: a link that takes nothing loses every frame. */
  #tellLoss(reason: string): void {
    const now = performance.now()
    if (now - this.#lossTold < lossMs) return
    this.#lossTold = now
    this.#events.onTrouble(reason)
  }

  /** A link that comes back says so; one that only failed does not. */
  #reopenSoon(): void {
    clearTimeout(this.#reopening)
    this.#reopening = setTimeout(() => this.#followLinks(), reopenMs)
    this.#reopening.unref()
  }

  /** The default gateways that the kernel knows the MAC address of, by link; looked up once a second when many addresses move. */
  #gateways(): ReadonlyMap<string, { address: Address; mac: string }[]> {
    const now = performance.now()
    if (now - this.#gatewaysAt > 1000) {
      this.#gatewaysKnown = this.#findGateways()
      this.#gatewaysAt = now
    }
    return this.#gatewaysKnown
  }

  #findGateways(): ReadonlyMap<string, { address: Address; mac: string }[]> {
    const gateways = new Set<Address>()
    for (const { destination, gateway } of this.#network.routes({ table: 254 }))
      if (gateway !== undefined && destination.endsWith('/0')) gateways.add(gateway)
    const known = new Map<string, { address: Address; mac: string }[]>()
    for (const { address, mac, link } of this.#network.neighbours())
      if (mac !== undefined && gateways.has(address)) known.set(link, [...(known.get(link) ?? []), { address, mac }])
    return known
  }
}

/** Whether other machines are behind the link: Ethernet, up, and neither a pod's nor a tunnel's nor a port of a bridge. */
function leadsOutside({ name, kind, mac, up, carrier, master }: Link): boolean {
  if (mac === undefined || !up || !carrier || master !== undefined || name === 'lo') return false
  return kind !== 'vxlan' && !/^plumb/.test(name)
}
