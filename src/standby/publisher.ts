import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { Channel } from './channel.ts'
import { type Flow, keyOf } from './flow.ts'
import { flowsPerMessage, type Message } from './message.ts'

/** How long changes wait for others, in milliseconds; what ends within is never told. */
const flushMs = 50
/** Connections of other nodes, those that have not shown the key yet included. */
const maximumPeers = 256

interface Follower {
  readonly channel: Channel
  /** What it asked for. */
  wanted: ReadonlySet<Address>
  /** What it knows all of. */
  readonly told: Set<Address>
  readonly pending: Map<string, { readonly flow: Flow; readonly isGone: boolean }>
}

export interface PublisherOptions {
  readonly host: Host
  readonly namespace: Namespace
  readonly port: number
  readonly key: Uint8Array
  /** The flows of an address while this node tells of it; undefined otherwise. */
  readonly flowsOf: (address: Address) => readonly Flow[] | undefined
  readonly onTrouble: (message: string) => void
}

/** Tells the nodes that may be next what connections this node's addresses have. */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #servers = new Map<Address, Server>()
  readonly #followers = new Set<Follower>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  get followers(): number {
    return this.#followers.size
  }

  get sentBytes(): number {
    return [...this.#followers].reduce((sum, { channel }) => sum + channel.sentBytes, 0)
  }

  /** Listens at these addresses of the node, and at no others any more. */
  listen(addresses: readonly Address[]): void {
    for (const [address, server] of this.#servers) {
      if (addresses.includes(address)) continue
      this.#servers.delete(address)
      server.close()
    }
    const { host, namespace, port, onTrouble } = this.#options
    for (const address of addresses) {
      if (this.#servers.has(address)) continue
      try {
        const server = createServer((socket) => this.#accept(socket))
        server.maxConnections = maximumPeers
        server.on('error', (error) => onTrouble(`connections are not told at ${address}: ${error.message}`))
        server.listen({ fd: host.listenTcp(namespace, address, port).fd })
        this.#servers.set(address, server)
      } catch (error) {
        onTrouble(`connections are not told at ${address}: ${String(error)}`)
      }
    }
  }

  /** The addresses that are told of changed. */
  refresh(): void {
    for (const follower of this.#followers) this.#tellNew(follower)
  }

  /** Whether the node with these addresses has been sent everything that this address has. */
  hasTold(address: Address, node: readonly Address[]): boolean {
    return [...this.#followers].some(
      ({ channel: { peer }, told }) => told.has(address) && peer !== undefined && node.includes(peer),
    )
  }

  tell(flow: Flow, isGone: boolean): void {
    for (const { told, pending } of this.#followers)
      if (told.has(flow.address)) pending.set(keyOf(flow), { flow, isGone })
    this.#timer ??= setTimeout(() => this.flush(), flushMs)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const { channel, pending } of this.#followers) {
      if (pending.size === 0) continue
      const changes = [...pending.values()]
      pending.clear()
      for (const kind of ['flows', 'gone'] as const)
        sendFlows(
          channel,
          kind,
          changes.filter(({ isGone }) => isGone === (kind === 'gone')).map(({ flow }) => flow),
        )
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const server of this.#servers.values()) server.close()
    for (const { channel } of [...this.#followers]) channel.close('this node ends')
  }

  #accept(socket: Socket): void {
    const channel = new Channel(socket, 'server', this.#options.key, {
      onMessage: (message: Message) => {
        if (message.kind !== 'follow') return
        this.#followers.add(follower)
        follower.wanted = new Set(message.addresses)
        for (const address of follower.told) if (!follower.wanted.has(address)) follower.told.delete(address)
        this.#tellNew(follower)
      },
      onClose: () => void this.#followers.delete(follower),
    })
    const follower: Follower = { channel, wanted: new Set(), told: new Set(), pending: new Map() }
  }

  /** Everything of the addresses that the follower does not know yet. */
  #tellNew({ channel, wanted, told, pending }: Follower): void {
    for (const address of told) if (this.#options.flowsOf(address) === undefined) told.delete(address)
    for (const address of wanted) {
      const flows = told.has(address) ? undefined : this.#options.flowsOf(address)
      if (flows === undefined) continue
      // What waits for the follower is in what it gets now.
      for (const [key, { flow }] of pending) if (flow.address === address) pending.delete(key)
      channel.send({ kind: 'begin', address })
      sendFlows(channel, 'flows', flows)
      channel.send({ kind: 'end', address })
      told.add(address)
    }
  }
}

function sendFlows(channel: Channel, kind: 'flows' | 'gone', flows: readonly Flow[]): void {
  for (let at = 0; at < flows.length; at += flowsPerMessage)
    channel.send({ kind, flows: flows.slice(at, at + flowsPerMessage) })
}
