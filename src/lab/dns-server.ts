import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Forward } from '../dns/index.ts'

/** Makes the response to one message: bytes, nothing (drop), or something to ask upstream first. Must not throw. */
export type DnsAnswer = (bytes: Uint8Array, transport: 'udp' | 'tcp') => Uint8Array | Forward | undefined

export interface DnsServerOptions {
  /** A bound UDP socket, made where the server is to be seen. The server owns it from now on. */
  readonly udpFd: number
  /** A bound TCP socket, listening or not. The server owns it from now on. */
  readonly tcpFd: number
  /** Family of the sockets; an IPv6 socket that takes both is 6. Default 4. */
  readonly family?: 4 | 6
  readonly answer: DnsAnswer
  /** Asks the upstream servers; undefined when none answers. Must not throw. */
  readonly forward?: (query: Uint8Array, transport: 'udp' | 'tcp') => Promise<Uint8Array | undefined>
  /** A TCP connection without a query for so long is closed. Default 10,000 ms. */
  readonly idleMs?: number
  /** Default 512. Beyond it the oldest makes room. */
  readonly maxConnections?: number
  /** Default 1,024. Beyond it new ones are answered as if the upstream were silent. */
  readonly maxForwards?: number
  readonly onTrouble?: (message: string) => void
}

export interface DnsServer {
  /** Closes sockets and connections; resolves when they are closed. */
  close(): Promise<void>
}

/** Queries of one TCP connection that may wait for the upstream at a time: more are not read until one is answered. */
const maxPipelined = 64

/** Serves DNS over UDP and TCP (RFC 1035 4.2, RFC 7766) on sockets that exist already; resolves when both take queries. */
export async function serveDns(options: DnsServerOptions): Promise<DnsServer> {
  const respond = responder(options)
  const udp = openUdp(options, respond)
  const connections = new Set<Socket>()
  const tcp = createServer({ allowHalfOpen: true }, (socket) => serveConnection(options, respond, connections, socket))
  tcp.on('error', (error) => options.onTrouble?.(`dns over tcp: ${error.message}`))
  // A socket that exists is bound within the call, so whoever listens for the event has to be there before.
  const ready = Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
  udp.bind({ fd: options.udpFd })
  tcp.listen({ fd: options.tcpFd })
  await ready
  return { close: () => close(udp, tcp, connections) }
}

async function close(udp: UdpSocket, tcp: Server, connections: ReadonlySet<Socket>): Promise<void> {
  const closed = Promise.all([once(udp, 'close'), once(tcp, 'close')])
  udp.close()
  tcp.close()
  for (const socket of connections) socket.destroy()
  await closed
}

type Respond = (bytes: Uint8Array, transport: 'udp' | 'tcp') => Uint8Array | undefined | Promise<Uint8Array>

function responder({ answer, forward, maxForwards = 1024 }: DnsServerOptions): Respond {
  let waiting = 0
  return (bytes, transport) => {
    const result = answer(bytes, transport)
    if (result === undefined || !('kind' in result)) return result
    if (forward === undefined || waiting >= maxForwards) return result.finish(undefined)
    waiting++
    return forward(result.query, transport)
      .catch(() => undefined)
      .then((reply) => {
        waiting--
        return result.finish(reply)
      })
  }
}

function openUdp({ family = 4, onTrouble }: DnsServerOptions, respond: Respond): UdpSocket {
  const udp = createSocket(family === 4 ? 'udp4' : 'udp6')
  const send = (bytes: Uint8Array, { address, port }: RemoteInfo) =>
    // A client that is gone is no trouble of the server's.
    udp.send(bytes, port, address, () => {})
  udp.on('error', (error) => onTrouble?.(`dns over udp: ${error.message}`))
  udp.on('message', (bytes, client) => {
    // Port 0 cannot be answered, and sending to it throws.
    if (client.port === 0) return
    const response = respond(bytes, 'udp')
    if (response instanceof Promise) response.then((late) => isOpen(udp) && send(late, client))
    else if (response !== undefined) send(response, client)
  })
  return udp
}

function isOpen(udp: UdpSocket): boolean {
  try {
    udp.address()
    return true
  } catch {
    return false
  }
}

function serveConnection(
  { idleMs = 10_000, maxConnections = 512 }: DnsServerOptions,
  respond: Respond,
  connections: Set<Socket>,
  socket: Socket,
): void {
  if (connections.size >= maxConnections) for (const oldest of [...connections].slice(0, 1)) oldest.destroy()
  connections.add(socket)
  let received: Buffer = Buffer.alloc(0)
  let waiting = 0
  let ended = false
  const answered = (response: Uint8Array) => {
    if (socket.destroyed) return
    socket.write(Buffer.concat([Buffer.from([response.length >> 8, response.length & 0xff]), response]))
  }
  const advance = () => {
    // Each message stands behind its length; the response to a later query may overtake an earlier one (RFC 7766 6.2.1.1).
    while (received.length >= 2 && waiting < maxPipelined && !socket.writableNeedDrain) {
      const length = received.readUInt16BE(0)
      if (received.length < 2 + length) break
      const message = received.subarray(2, 2 + length)
      received = received.subarray(2 + length)
      const response = respond(message, 'tcp')
      // A message that is no query: this is no DNS client.
      if (response === undefined) return void socket.destroy()
      if (!(response instanceof Promise)) answered(response)
      else {
        waiting++
        response.then((late) => {
          waiting--
          answered(late)
          advance()
        })
      }
    }
    if (socket.destroyed) return
    // Nothing more is read while a client does not take its answers: nobody can fill the memory.
    if (waiting >= maxPipelined || socket.writableNeedDrain) socket.pause()
    else socket.resume()
    if (ended && waiting === 0) socket.end()
  }
  socket.setTimeout(idleMs, () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    advance()
  })
  socket.on('drain', advance)
  socket.on('end', () => {
    ended = true
    advance()
  })
  socket.on('error', () => socket.destroy())
  socket.on('close', () => connections.delete(socket))
}
