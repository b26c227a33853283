import { createSocket, type Socket } from 'node:dgram'
import { type Address, familyOf } from '../addr/index.ts'
import { decodeMessage, encodeMessage, type Message } from '../announce/index.ts'
import type { Host, Namespace } from '../host/index.ts'

/** A node that votes, and where it is. */
export interface Member {
  readonly name: string
  readonly addresses: readonly Address[]
}

/** Messages between nodes: UDP at each of this node's addresses, signed by the cluster's key. */
export class Heartbeats {
  readonly #host: Host
  readonly #namespace: Namespace
  readonly #port: number
  readonly #key: Uint8Array
  readonly #onMessage: (message: Message) => void
  readonly #onTrouble: (message: string) => void
  readonly #sockets = new Map<Address, Socket>()
  #peers: readonly Member[] = []
  #own: readonly Address[] = []

  constructor(options: {
    readonly host: Host
    readonly namespace: Namespace
    readonly port: number
    readonly key: Uint8Array
    readonly onMessage: (message: Message) => void
    readonly onTrouble: (message: string) => void
  }) {
    this.#host = options.host
    this.#namespace = options.namespace
    this.#port = options.port
    this.#key = options.key
    this.#onMessage = options.onMessage
    this.#onTrouble = options.onTrouble
  }

  setMembers(node: string, members: readonly Member[]): void {
    this.#peers = members.filter(({ name }) => name !== node)
    this.#own = members.find(({ name }) => name === node)?.addresses ?? []
    for (const [address, socket] of this.#sockets) {
      if (this.#own.includes(address)) continue
      this.#sockets.delete(address)
      socket.close()
    }
    this.#openMissing()
  }

  send(to: string | 'all', message: Message): void {
    const datagram = encodeMessage(message, this.#key)
    if (this.#sockets.size < this.#own.length) this.#openMissing()
    for (const peer of this.#peers) {
      if (to !== 'all' && to !== peer.name) continue
      const from = this.#own.find((own) => peer.addresses.some((other) => familyOf(other) === familyOf(own)))
      const target = from && peer.addresses.find((other) => familyOf(other) === familyOf(from))
      // What cannot be sent is a heartbeat that is lost, as many are on the way.
      if (from !== undefined && target !== undefined)
        this.#sockets.get(from)?.send(datagram, this.#port, target, () => undefined)
    }
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  #openMissing(): void {
    for (const address of this.#own) {
      if (this.#sockets.has(address)) continue
      try {
        this.#sockets.set(address, this.#open(address))
      } catch (error) {
        this.#onTrouble(String(error))
      }
    }
  }

  #open(address: Address): Socket {
    const { fd } = this.#host.bindUdp(this.#namespace, address, this.#port)
    const socket = createSocket(familyOf(address) === 4 ? 'udp4' : 'udp6')
    socket.on('error', (error) => this.#onTrouble(`heartbeats at ${address}: ${error.message}`))
    socket.on('message', (datagram) => {
      const message = decodeMessage(datagram, this.#key)
      if (message !== undefined) this.#onMessage(message)
    })
    socket.bind({ fd })
    return socket
  }
}
