import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Identity, renderIdentity } from './identity.ts'
import { sniff } from './sniff.ts'
import { seenBy, serveHttp1 } from './stand-in-http.ts'
import { serveRedis } from './stand-in-redis.ts'

/** What every connection of one stand-in shares. */
export interface StandInContext {
  readonly identity: Identity
  readonly log: (line: string) => void
}

// Clients of protocols in which the server speaks first send nothing; they get the identification after this pause.
const silenceMs = 300
const maximumSniffBytes = 1024

/** Serves one accepted connection in whatever it speaks. */
export function serveConnection(socket: Socket, context: StandInContext, secure = false): void {
  socket.on('error', () => socket.destroy())
  const seen = seenBy(socket)
  if (seen === undefined) {
    socket.destroy()
    return
  }
  const { identity, log } = context
  const identification = renderIdentity(identity, seen)
  // Whoever has agreed on HTTP by ALPN speaks first, however long that takes.
  const isHttp = socket instanceof TLSSocket && typeof socket.alpnProtocol === 'string'
  const timer = isHttp
    ? undefined
    : setTimeout(() => {
        log(`tcp ${seen.port} silent client ${seen.clientAddress}`)
        socket.write(identification)
      }, silenceMs)
  let start: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  const decide = (): void => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    start = Buffer.concat([start, chunk])
    const speech = sniff(start)
    if (speech === 'undecided' && start.length < maximumSniffBytes) return
    clearTimeout(timer)
    socket.off('readable', decide)
    if (speech !== 'other' && speech !== 'undecided') socket.unshift(start)
    const connection = { identity, seen, secure, log }
    switch (speech) {
      case 'http1':
        serveHttp1(socket, connection)
        return
      case 'http2':
        import('./stand-in-http2.ts').then(({ serveHttp2 }) => serveHttp2(socket, connection))
        return
      case 'tls':
        if (secure) break
        import('./stand-in-tls.ts').then(({ serveTls }) => serveTls(socket, context))
        return
      case 'redis':
        log(`redis from ${seen.clientAddress}`)
        serveRedis(socket, identification)
        return
      case 'other':
      case 'undecided':
        break
      default:
        speech satisfies never
    }
    log(`tcp ${seen.port} ${start.length} bytes from ${seen.clientAddress}`)
    socket.resume()
    socket.write(identification)
    socket.once('end', () => socket.end())
  }
  socket.on('readable', decide)
  socket.once('close', () => clearTimeout(timer))
}
