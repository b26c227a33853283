import { type Address, familyOf } from '../addr/index.ts'
import type { FrameSocket, Link, Network } from '../host/index.ts'
import {
  type ArpFrame,
  allNodes,
  broadcastMac,
  decodeArp,
  decodeNeighbourFrame,
  encodeArp,
  encodeNeighbourFrame,
  multicastMac,
  type NeighbourFrame,
  solicitedNodeGroup,
  zeroMac,
} from '../netlink/index.ts'
import { RecentNeighbours } from './recent-neighbours.ts'

const anyAddress = { 4: '0.0.0.0' as Address, 6: '::' as Address }

/** What a link speaker asks and tells. */
export interface LinkEvents {
  /** Whether this node answers for the address on this link at this moment. */
  mayAnswer(address: Address, link: string): boolean
  /** A frame by which another machine says that the address is its own. */
  onClaim(address: Address, mac: string, link: string): void
  /** A frame could not be sent. */
  onLost(reason: string): void
  /** The link went down or away; this speaker is closed. */
  onDown(reason: string): void
}

/** ARP and NDP on one link, for addresses that no link has: answers while allowed to, and tells neighbours when told to. */
export class LinkSpeaker {
  readonly link: Link
  readonly #mac: string
  readonly #events: LinkEvents
  readonly #recent = new RecentNeighbours()
  readonly #arp: FrameSocket
  readonly #discovery: FrameSocket
  #closed = false

  /** Throws a `HostError` when the link is not there any more. */
  constructor(network: Network, link: Link, mac: string, events: LinkEvents) {
    this.link = link
    this.#mac = mac
    this.#events = events
    const down = (reason: string): void => {
      if (this.#closed) return
      this.close()
      events.onDown(reason)
    }
    this.#arp = network.openFrames(link, 'arp', (frame) => this.#onArp(decodeArp(frame)), down)
    try {
      const onFrame = (frame: Uint8Array) => this.#onNeighbour(decodeNeighbourFrame(frame))
      this.#discovery = network.openFrames(link, 'neighbour-discovery', onFrame, down)
    } catch (error) {
      this.#arp.close()
      throw error
    }
  }

  close(): void {
    this.#closed = true
    this.#arp.close()
    this.#discovery.close()
  }

  /** Lets solicitations for the address come in; before `announce`. */
  join(address: Address): void {
    if (familyOf(address) === 6) this.#discovery.join(solicitedNodeGroup(address))
  }

  leave(address: Address): void {
    if (familyOf(address) === 6) this.#discovery.leave(solicitedNodeGroup(address))
  }

  /**
   * Tells the segment that the address is here: a gratuitous request and a reply with the target's MAC set (RFC 5944 section
   * 4.6), an advertisement that overrides, and a request to each of these neighbours and of those heard lately, which even a
   * neighbour takes in that listens to none of the others.
   */
  announce(address: Address, neighbours: readonly { readonly address: Address; readonly mac: string }[]): void {
    const family = familyOf(address)
    if (family === 4) {
      const gratuitous = { sender: address, target: address, etherDestination: broadcastMac }
      this.#sendArp({ ...gratuitous, operation: 'request', targetMac: zeroMac })
      this.#sendArp({ ...gratuitous, operation: 'reply', targetMac: this.#mac })
    } else this.#advertise(address, allNodes, multicastMac(allNodes), false)
    const told = new Map([...neighbours, ...this.#recent.list()].map((one) => [one.address, one.mac]))
    for (const [target, mac] of told)
      if (familyOf(target) === family && target !== address) this.#ask(address, target, mac)
  }

  /** Asks whether anybody has the address, without claiming it (RFC 5227 section 2.1.1, RFC 4862 section 5.4.2). */
  probe(address: Address): void {
    if (familyOf(address) === 4)
      this.#sendArp({
        operation: 'request',
        sender: anyAddress[4],
        target: address,
        targetMac: zeroMac,
        etherDestination: broadcastMac,
      })
    else this.#solicit(anyAddress[6], address, solicitedNodeGroup(address), multicastMac(solicitedNodeGroup(address)))
  }

  #onArp(frame: ArpFrame | undefined): void {
    if (frame === undefined || frame.senderMac === this.#mac || this.#closed) return
    const { sender, senderMac, target, operation } = frame
    if (sender !== anyAddress[4]) {
      this.#recent.hear(sender, senderMac)
      this.#events.onClaim(sender, senderMac, this.link.name)
    }
    if (operation !== 'request' || !this.#events.mayAnswer(target, this.link.name)) return
    this.#sendArp({
      operation: 'reply',
      sender: target,
      target: sender,
      targetMac: senderMac,
      etherDestination: frame.etherSource,
    })
  }

  #onNeighbour(frame: NeighbourFrame | undefined): void {
    if (frame === undefined || frame.etherSource === this.#mac || this.#closed) return
    const { message, source, target } = frame
    if (message.kind === 'advertisement') {
      this.#events.onClaim(target, message.targetMac ?? frame.etherSource, this.link.name)
      return
    }
    const asker = message.sourceMac ?? frame.etherSource
    if (source !== anyAddress[6]) this.#recent.hear(source, asker)
    if (!this.#events.mayAnswer(target, this.link.name)) return
    // Whoever only looks for duplicates has no address yet to answer to.
    if (source === anyAddress[6]) this.#advertise(target, allNodes, multicastMac(allNodes), false)
    else this.#advertise(target, source, asker, true)
  }

  #ask(address: Address, target: Address, mac: string): void {
    if (familyOf(address) === 6) this.#solicit(address, target, target, mac)
    else this.#sendArp({ operation: 'request', sender: address, target, targetMac: zeroMac, etherDestination: mac })
  }

  #sendArp(frame: Omit<ArpFrame, 'etherSource' | 'senderMac'>): void {
    this.#send(this.#arp, encodeArp({ ...frame, etherSource: this.#mac, senderMac: this.#mac }))
  }

  #advertise(target: Address, destination: Address, etherDestination: string, solicited: boolean): void {
    const message = { kind: 'advertisement', targetMac: this.#mac, router: false, solicited, override: true } as const
    const ether = { etherSource: this.#mac, etherDestination }
    this.#send(this.#discovery, encodeNeighbourFrame({ ...ether, source: target, destination, target, message }))
  }

  #solicit(source: Address, target: Address, destination: Address, etherDestination: string): void {
    const sourceMac = source === anyAddress[6] ? undefined : this.#mac
    const message = { kind: 'solicitation', sourceMac } as const
    const ether = { etherSource: this.#mac, etherDestination }
    this.#send(this.#discovery, encodeNeighbourFrame({ ...ether, source, destination, target, message }))
  }

  /** A frame that cannot be sent is lost, as on the wire; a link that goes down is told by its sockets. */
  #send(socket: FrameSocket, frame: Uint8Array): void {
    if (this.#closed) return
    try {
      socket.send(frame)
    } catch (error) {
      this.#events.onLost(String(error))
    }
  }
}
