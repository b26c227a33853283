import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '../addr/index.ts'
import { type Host, HostError, type Namespace } from '../host/index.ts'
import { hostPort, type Identity, plainAddress, renderIdentity } from './identity.ts'
import { LogBuffer } from './log-buffer.ts'
import type { ContainerExit, RunningContainer } from './running-container.ts'
import { serveConnection } from './stand-in-connection.ts'

/** A port on which a stand-in answers. */
export interface StandInPort {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
}

const wildcards = ['0.0.0.0' as Address, '::' as Address]
// A well-behaved server goes on answering while its endpoint is taken out everywhere.
const drainMs = 1000

/** A container without a program of its own: it listens on the container's ports, inside the pod, and says who it is. */
export class StandIn implements RunningContainer {
  readonly log = new LogBuffer(64 * 1024)
  readonly warmsUp = false
  readonly exited: Promise<ContainerExit>
  readonly #identity: Identity
  readonly #closers: (() => void)[] = []
  readonly #sockets = new Set<Socket>()
  #finish!: (exit: ContainerExit) => void
  #timer: NodeJS.Timeout | undefined

  private constructor(identity: Identity) {
    this.#identity = identity
    this.exited = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Opens the ports; throws `HostError` when one is taken, with none left open. */
  static async start(
    host: Host,
    namespace: Namespace,
    identity: Identity,
    ports: readonly StandInPort[],
  ): Promise<StandIn> {
    const standIn = new StandIn(identity)
    try {
      for (const port of ports) await standIn.#open(host, namespace, port)
    } catch (error) {
      standIn.#close()
      throw error
    }
    const list = ports.map(({ protocol, port }) => `${port}/${protocol}`).join(', ')
    standIn.log.line(`stand-in for ${identity.image || 'a container without image'} ${list && `listens on ${list}`}`)
    return standIn
  }

  stop(graceMs: number): void {
    if (this.#timer !== undefined && graceMs > 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => {
        this.#close()
        this.log.end()
        this.#finish({ exitCode: 0 })
      },
      Math.min(graceMs, drainMs),
    )
  }

  async #open(host: Host, namespace: Namespace, { protocol, port }: StandInPort): Promise<void> {
    for (const address of wildcards) {
      try {
        if (protocol === 'TCP') this.#listen(host.listenTcp(namespace, address, port).fd)
        else await this.#bind(host.bindUdp(namespace, address, port).fd, address === '::' ? 'udp6' : 'udp4')
      } catch (error) {
        // A machine without IPv6 has IPv4 listeners only.
        if (address === '::' && error instanceof HostError && error.errno === 'EAFNOSUPPORT') continue
        throw error
      }
    }
  }

  #listen(fd: number): void {
    const context = { identity: this.#identity, log: (line: string) => this.log.line(line) }
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      serveConnection(socket, context)
    })
    server.on('error', (error) => this.log.line(error.message))
    server.listen({ fd })
    this.#closers.push(() => server.close())
  }

  async #bind(fd: number, type: 'udp4' | 'udp6'): Promise<void> {
    const { createSocket } = await import('node:dgram')
    const socket = createSocket(type)
    socket.on('error', (error) => this.log.line(error.message))
    socket.on('message', (message, from) => {
      const { port } = socket.address()
      const client = plainAddress(from.address)
      // The socket is bound to any address; the datagram came to the pod's own of that family.
      const address = this.#identity.addresses.find((one) => one.includes(':') === (type === 'udp6')) ?? ''
      const seen = { address, port, clientAddress: client, clientPort: from.port }
      this.log.line(`udp ${port} ${message.length} bytes from ${hostPort(client, from.port)}`)
      socket.send(renderIdentity(this.#identity, seen), from.port, from.address)
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ fd }, () => {
        socket.off('error', reject)
        resolve()
      })
    })
    this.#closers.push(() => socket.close())
  }

  #close(): void {
    for (const close of this.#closers.splice(0)) close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
