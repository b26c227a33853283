import type { Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { type StandInContext, serveConnection } from './stand-in-connection.ts'

/** A certificate with its key, PEM text. */
export interface ServingCertificate {
  readonly cert: string
  readonly key: string
}

let issue: (() => Promise<ServingCertificate>) | undefined
let certificate: Promise<ServingCertificate> | undefined
/** A server of each stand-in: it says when a handshake is over in the way that HTTP/2 asks for. */
let servers = new WeakMap<StandInContext, Server>()

/** Says where stand-ins get their certificate from; it is asked for once, at the first TLS client. */
export function setCertificateSource(source: () => Promise<ServingCertificate>): void {
  issue = source
  certificate = undefined
  servers = new WeakMap()
}

/** Terminates TLS on a connection whose ClientHello is in the socket's buffer, and serves what comes inside. */
export async function serveTls(socket: Socket, context: StandInContext): Promise<void> {
  if (issue === undefined) {
    socket.destroy()
    return
  }
  certificate ??= issue()
  const issued = await certificate
  if (!socket.destroyed) serverOf(context, issued).emit('connection', socket)
}

function serverOf(context: StandInContext, { cert, key }: ServingCertificate): Server {
  const known = servers.get(context)
  if (known !== undefined) return known
  const server = createServer({ cert, key, ALPNProtocols: ['h2', 'http/1.1'] })
  server.on('secureConnection', (secure) => serveConnection(secure, context, true))
  server.on('tlsClientError', (_, secure) => secure.destroy())
  servers.set(context, server)
  return server
}
