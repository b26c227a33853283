import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { type Address, familyOf, findAddress } from '../addr/index.ts'
import type { Entrance, ServerModel, WeightedTarget } from '../gateways/index.ts'
import type { Host, Namespace } from '../host/index.ts'

/** A client is forgotten after so long without a datagram either way; as conntrack does with streams of UDP. */
const idleMs = 120_000
const mostSessions = 4096

/** Where a client's datagrams go, and the socket by which answers come back. */
interface Session {
  readonly upstream: Socket
  readonly server: ServerModel
  lastMs: number
}

/** Forwards the datagrams of one UDP port of a node: a client keeps its pod as long as that is there, a new one gets one by weight. */
export class UdpForwarder {
  readonly #host: Host
  readonly #namespace: Namespace
  readonly #serversOf: (backend: string) => readonly ServerModel[]
  readonly #sockets = new Map<Address, Socket>()
  /** By client, and the address that it asked; in the order of use. */
  readonly #sessions = new Map<string, Session>()
  #targets: readonly WeightedTarget[] = []

  constructor(host: Host, namespace: Namespace, serversOf: (backend: string) => readonly ServerModel[]) {
    this.#host = host
    this.#namespace = namespace
    this.#serversOf = serversOf
  }

  /** Serves an entrance at addresses of the node; those that are no longer given are let go. Throws where one cannot be bound. */
  update({ port, streams }: Entrance, addresses: readonly Address[]): void {
    this.#targets = streams[0]?.action.targets ?? []
    for (const [address, socket] of this.#sockets) {
      if (addresses.includes(address)) continue
      socket.close()
      this.#sockets.delete(address)
    }
    for (const address of addresses) {
      if (this.#sockets.has(address)) continue
      const { fd } = this.#host.bindUdp(this.#namespace, address, port)
      const socket = openSocket(address, fd)
      socket.on('message', (data, from) => this.#forward(socket, address, data, from))
      this.#sockets.set(address, socket)
    }
  }

  /** Forgets clients that have been silent. */
  sweep(nowMs: number): void {
    for (const [key, { lastMs, upstream }] of this.#sessions) {
      if (nowMs - lastMs < idleMs) return
      upstream.close()
      this.#sessions.delete(key)
    }
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    for (const { upstream } of this.#sessions.values()) upstream.close()
    this.#sockets.clear()
    this.#sessions.clear()
  }

  #forward(socket: Socket, address: Address, data: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port} ${address}`
    const known = this.#sessions.get(key)
    const session = known !== undefined && this.#isThere(known.server) ? known : this.#open(key, socket, from)
    if (session === undefined) return
    this.#touch(key, session)
    session.upstream.send(data, session.server.port, session.server.address)
  }

  #touch(key: string, session: Session): void {
    session.lastMs = performance.now()
    this.#sessions.delete(key)
    this.#sessions.set(key, session)
  }

  #isThere({ address, port }: ServerModel): boolean {
    return this.#targets.some(
      ({ target }) =>
        target.kind === 'backend' &&
        this.#serversOf(target.id).some((one) => one.address === address && one.port === port),
    )
  }

  #open(key: string, socket: Socket, from: RemoteInfo): Session | undefined {
    this.#sessions.get(key)?.upstream.close()
    this.#sessions.delete(key)
    const server = this.#choose()
    if (server === undefined) return undefined
    const any = (familyOf(server.address) === 4 ? '0.0.0.0' : '::') as Address
    const upstream = openSocket(server.address, this.#host.bindUdp(this.#namespace, any, 0).fd)
    const session: Session = { upstream, server, lastMs: 0 }
    upstream.on('message', (data, answered) => {
      // Nobody but the pod answers for it.
      if (findAddress(answered.address) !== server.address || answered.port !== server.port) return
      this.#touch(key, session)
      socket.send(data, from.port, from.address)
    })
    this.#sessions.set(key, session)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > mostSessions && oldest !== undefined) {
      this.#sessions.get(oldest)?.upstream.close()
      this.#sessions.delete(oldest)
    }
    return session
  }

  /** A pod of a backend that is drawn by weight; a backend that cannot be, or has no pods, takes its share of silence. */
  #choose(): ServerModel | undefined {
    const total = this.#targets.reduce((sum, { weight }) => sum + weight, 0)
    let drawn = Math.random() * total
    for (const { weight, target } of this.#targets) {
      drawn -= weight
      if (drawn >= 0) continue
      const servers = target.kind === 'backend' ? this.#serversOf(target.id) : []
      return servers[Math.floor(Math.random() * servers.length)]
    }
    return undefined
  }
}

function openSocket(address: Address, fd: number): Socket {
  const socket = createSocket(familyOf(address) === 4 ? 'udp4' : 'udp6')
  // A pod that refuses is told by ICMP; the client learns it from silence.
  socket.on('error', () => {})
  socket.bind({ fd })
  return socket
}
