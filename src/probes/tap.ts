import type { Address } from '../addr/index.ts'
import type { Wire } from '../doctor/index.ts'
import { type Namespace, tapPackets } from '../host/index.ts'
import { flag, type Packet, parsePacket } from './packet.ts'

/** What has been seen of one connection, by its local port. */
class Sight {
  sent = 0
  ttl: number | undefined
  from: Address | undefined
  flags: string | undefined
  icmp: { says: string; from: Address } | undefined
  reset: { from: Address } | undefined
  connected = false
  readonly port: number

  constructor(port: number) {
    this.port = port
  }

  get wire(): Wire {
    return {
      sent: this.sent,
      ...(this.ttl === undefined ? {} : { ttl: this.ttl }),
      ...(this.from === undefined ? {} : { from: this.from }),
      ...(this.flags === undefined ? {} : { flags: this.flags }),
    }
  }
}

/** Watches the packets of a namespace for connections that begin there, by local port. */
export class Tap {
  readonly #sights = new Map<number, Sight>()
  /** First packets of connections that begin elsewhere, by both ports. */
  readonly #arrivals = new Map<string, number>()
  readonly #tap: { close(): void }

  constructor(namespace: Namespace) {
    this.#tap = tapPackets(namespace, (bytes) => {
      const packet = parsePacket(bytes)
      if (packet !== undefined) this.#note(packet)
    })
  }

  /** To be called in the turn of the event loop in which the port is made: its first packets are read in a later one. */
  watch(port: number): Sight {
    const sight = new Sight(port)
    this.#sights.set(port, sight)
    return sight
  }

  /** How many first packets of a connection between these ports came by. */
  arrived(sourcePort: number, destinationPort: number): number {
    return this.#arrivals.get(`${sourcePort} ${destinationPort}`) ?? 0
  }

  close(): void {
    this.#tap.close()
  }

  #note({ source, ttl, body }: Packet): void {
    if (body.kind === 'icmp') {
      const sight = this.#sights.get(body.about.sourcePort)
      if (sight !== undefined) sight.icmp ??= { says: body.says, from: source }
      return
    }
    // Connections are of TCP and UDP.
    if (body.kind === 'echo' || body.kind === 'sctp') return
    const own = this.#sights.get(body.sourcePort)
    if (own !== undefined) {
      if (body.kind === 'udp' || (body.flags & (flag.syn | flag.ack)) === flag.syn) own.sent++
      return
    }
    const sight = this.#sights.get(body.destinationPort)
    if (sight === undefined) {
      if (body.kind === 'tcp' && (body.flags & (flag.syn | flag.ack)) === flag.syn) this.#arrive(body)
      return
    }
    sight.ttl ??= ttl
    sight.from ??= source
    if (body.kind === 'udp') return
    const { flags } = body
    if ((flags & flag.reset) !== 0) sight.reset ??= { from: source }
    sight.flags ??= (flags & flag.reset) !== 0 ? 'RST' : (flags & flag.syn) !== 0 ? 'SYN-ACK' : 'ACK'
    if ((flags & (flag.syn | flag.ack)) === (flag.syn | flag.ack)) sight.connected = true
  }

  #arrive({ sourcePort, destinationPort }: { readonly sourcePort: number; readonly destinationPort: number }): void {
    const id = `${sourcePort} ${destinationPort}`
    this.#arrivals.set(id, (this.#arrivals.get(id) ?? 0) + 1)
  }
}

export type { Sight }
