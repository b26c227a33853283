/** An observer on the wire that asks each millisecond who has an address, and notices when two answer at one time. */
import { setTimeout as pause } from 'node:timers/promises'
import { parseAddress } from '../addr/index.ts'
import { decodeArp, encodeArp, renderMac } from '../netlink/index.ts'
import { virtual, type Wires } from './segment.fixture.ts'

const address = virtual[4]

/** What it asks carries a number in the place of its own MAC address, which answers repeat. */
export class Observer {
  answers = 0
  /** How often another machine answered than before. */
  changes = 0
  /** For how long two answered at one time, in milliseconds. */
  dualMs = 0
  /** The longest time between two answers, by when their questions left, in milliseconds. */
  longestMs = 0
  /** The machine that answered last, by its MAC address. */
  last: string | undefined
  readonly #leaseMs: number
  readonly #sentAt: number[] = []
  /** By machine: when it answered last. By order of arrival, and never later than it was: when the question left, or the last answer to an earlier one. */
  readonly #answeredAt = new Map<string, number>()
  #reignFrom = 0
  #now = 0
  readonly #timer: NodeJS.Timeout
  readonly #socket: { close(): void }

  constructor({ client }: Pick<Wires, 'client'>, leaseMs: number) {
    this.#leaseMs = leaseMs
    const { network } = client.namespace
    const link = network.findLink('eth0')!
    const socket = network.openFrames(
      link,
      'arp',
      (bytes) => this.#take(bytes),
      () => undefined,
    )
    this.#socket = socket
    const probe = { operation: 'request', sender: parseAddress('0.0.0.0'), target: address } as const
    this.#timer = setInterval(() => {
      const number = this.#sentAt.push(performance.now()) - 1
      const senderMac = renderMac(Buffer.from(`02ff${number.toString(16).padStart(8, '0')}`, 'hex')) ?? ''
      const ether = { etherSource: client.mac, etherDestination: 'ff:ff:ff:ff:ff:ff' }
      socket.send(encodeArp({ ...probe, ...ether, senderMac, targetMac: '00:00:00:00:00:00' }))
    }, 1)
  }

  async untilAnswered(): Promise<void> {
    const end = performance.now() + 20_000
    for (const before = this.answers; this.answers === before; await pause(1))
      if (performance.now() > end) throw new Error('nobody answers')
  }

  close(): void {
    clearInterval(this.#timer)
    this.#socket.close()
  }

  #take(bytes: Uint8Array): void {
    const frame = decodeArp(bytes)
    if (frame?.operation !== 'reply' || frame.sender !== address || !frame.targetMac.startsWith('02:ff:')) return
    const sentAt = this.#sentAt[Number.parseInt(frame.targetMac.slice(6).replaceAll(':', ''), 16)] ?? 0
    if (this.answers > 0) this.longestMs = Math.max(this.longestMs, sentAt - this.#now)
    this.#now = Math.max(this.#now, sentAt)
    const mac = frame.senderMac
    const before = this.#answeredAt.get(mac)
    if (mac !== this.last) {
      // Between two reigns of one machine there is the lease of another.
      if (before !== undefined && this.#now - before < this.#leaseMs / 2)
        this.dualMs += Math.max(1, this.#now - this.#reignFrom)
      this.changes++
      this.#reignFrom = this.#now
    }
    this.last = mac
    this.#answeredAt.set(mac, this.#now)
    this.answers++
  }
}
