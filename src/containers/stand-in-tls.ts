import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { type StandInContext, serveConnection } from './stand-in-connection.ts'

/** A certificate with its key, PEM text. */
export interface ServingCertificate {
  readonly cert: string
  readonly key: string
}

let issue: (() => Promise<ServingCertificate>) | undefined
let secureContext: Promise<SecureContext> | undefined

/** Says where stand-ins get their certificate from; it is asked for once, at the first TLS client. */
export function setCertificateSource(source: () => Promise<ServingCertificate>): void {
  issue = source
  secureContext = undefined
}

/** Terminates TLS on a connection whose ClientHello is in the socket's buffer, and serves what comes inside. */
export async function serveTls(socket: Socket, context: StandInContext): Promise<void> {
  if (issue === undefined) {
    socket.destroy()
    return
  }
  secureContext ??= issue().then((certificate) => createSecureContext(certificate))
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: await secureContext,
    ALPNProtocols: ['h2', 'http/1.1'],
  })
  secure.on('error', () => socket.destroy())
  secure.once('secure', () => serveConnection(secure, context, true))
}
