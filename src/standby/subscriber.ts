import { Socket } from 'node:net'
import { type Address, familyOf } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { Channel } from './channel.ts'
import type { Member } from './contract.ts'
import type { Message } from './message.ts'

/** When a holder that did not answer, or fell silent, is tried again, in milliseconds. */
const againMs = 500

interface Source {
  channel: Channel | undefined
  addresses: readonly Address[]
  timer: NodeJS.Timeout | undefined
}

export interface SubscriberOptions {
  readonly host: Host
  readonly namespace: Namespace
  readonly port: number
  readonly key: Uint8Array
  readonly onMessage: (from: string, message: Message) => void
}

/** Hears from the holders of addresses what connections they have. */
export class Subscriber {
  readonly #options: SubscriberOptions
  readonly #sources = new Map<string, Source>()
  #members: readonly Member[] = []
  #own: readonly Address[] = []

  constructor(options: SubscriberOptions) {
    this.#options = options
  }

  setMembers(node: string, members: readonly Member[]): void {
    this.#members = members
    this.#own = members.find(({ name }) => name === node)?.addresses ?? []
  }

  /** Follows these addresses at these nodes, and nothing else any more. */
  follow(wanted: ReadonlyMap<string, readonly Address[]>): void {
    for (const [node, source] of this.#sources) if (!wanted.has(node)) this.#end(node, source)
    for (const [node, addresses] of wanted) {
      const source = this.#sources.get(node) ?? { channel: undefined, addresses: [], timer: undefined }
      this.#sources.set(node, source)
      const isNew = source.addresses.join() !== addresses.join()
      source.addresses = addresses
      if (source.channel === undefined && source.timer === undefined) this.#connect(node, source)
      else if (isNew) source.channel?.send({ kind: 'follow', addresses })
    }
  }

  close(): void {
    this.follow(new Map())
  }

  #end(node: string, source: Source): void {
    this.#sources.delete(node)
    clearTimeout(source.timer)
    source.channel?.close('nothing of it is wanted any more')
  }

  #connect(node: string, source: Source): void {
    const { host, namespace, port, key, onMessage } = this.#options
    const later = (): void => {
      source.channel = undefined
      if (this.#sources.get(node) !== source) return
      source.timer = setTimeout(() => {
        source.timer = undefined
        this.#connect(node, source)
      }, againMs)
    }
    const own = (address: Address): Address | undefined => this.#own.find((one) => familyOf(one) === familyOf(address))
    const addresses = this.#members.find(({ name }) => name === node)?.addresses ?? []
    const target = addresses.find((address) => own(address) !== undefined)
    try {
      if (target === undefined) throw new Error(`${node} has no address of this node's families`)
      const { fd } = host.connectTcp(namespace, target, port)
      const channel = new Channel(new Socket({ fd }), 'client', key, {
        onMessage: (message) => onMessage(node, message),
        onClose: later,
      })
      source.channel = channel
      channel.send({ kind: 'follow', addresses: source.addresses })
    } catch {
      later()
    }
  }
}
