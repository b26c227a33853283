import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'

export interface ForwarderOptions {
  /** A UDP socket in the network from which the servers are reached; owned by the forwarder from now on. */
  readonly udpFd: number
  /** Family of the socket and of the servers. Default 4. */
  readonly family?: 4 | 6
  /** Asked in turn, each once. */
  readonly servers: readonly { readonly address: string; readonly port?: number }[]
  /** How long each server has. Default 2,000 ms. */
  readonly timeoutMs?: number
}

export interface Forwarder {
  /** The reply of the first server that answers, under the server's own id, or undefined. */
  forward(query: Uint8Array): Promise<Uint8Array | undefined>
  close(): void
}

interface Pending {
  readonly server: string
  readonly question: Buffer
  readonly take: (reply: Uint8Array | undefined) => void
}

/** Asks upstream servers over UDP. A reply counts only from the server that was asked, with the id and the question that were sent. */
export function openForwarder({ udpFd, family = 4, servers, timeoutMs = 2000 }: ForwarderOptions): Forwarder {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  const pending = new Map<number, Pending>()
  socket.on('error', () => {})
  socket.on('message', (reply, { address, port }) => {
    if (reply.length < 12) return
    const id = reply.readUInt16BE(0)
    const known = pending.get(id)
    if (known === undefined || known.server !== `${address} ${port}`) return
    const asked = reply.subarray(12, 12 + known.question.length)
    // Servers may answer an error without the question.
    if (
      reply.readUInt16BE(4) > 0 &&
      asked.toString('latin1').toLowerCase() !== known.question.toString('latin1').toLowerCase()
    )
      return
    known.take(reply)
  })
  socket.bind({ fd: udpFd })

  const ask = (query: Uint8Array, { address, port = 53 }: ForwarderOptions['servers'][number]) =>
    new Promise<Uint8Array | undefined>((resolve) => {
      // The id is what keeps others from answering: it must not be guessed, nor be the client's.
      let id = randomInt(0x10000)
      while (pending.has(id) && pending.size < 0x8000) id = randomInt(0x10000)
      if (pending.has(id)) return resolve(undefined)
      const bytes = Buffer.from(query)
      bytes.writeUInt16BE(id, 0)
      const timer = setTimeout(() => take(undefined), timeoutMs)
      const take = (reply: Uint8Array | undefined) => {
        clearTimeout(timer)
        pending.delete(id)
        resolve(reply)
      }
      pending.set(id, { server: `${address} ${port}`, question: questionOf(bytes), take })
      socket.send(bytes, port, address, (error) => error && take(undefined))
    })

  return {
    async forward(query) {
      for (const server of servers) {
        const reply = await ask(query, server)
        // SERVFAIL and REFUSED: another server may know better.
        if (reply !== undefined && ![2, 5].includes((reply[3] ?? 0) & 15)) return reply
      }
      return undefined
    },
    close() {
      for (const { take } of [...pending.values()]) take(undefined)
      socket.close()
    },
  }
}

/** Name, type and class of the first question. */
function questionOf(query: Buffer): Buffer {
  let at = 12
  while (at < query.length && query[at] !== 0) at += (query[at] ?? 0) + 1
  return query.subarray(12, at + 5)
}
