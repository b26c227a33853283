import { X509Certificate } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, Socket } from 'node:net'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream'
import { connect, getCACertificates, type TLSSocket } from 'node:tls'
import { hasWantedName, type TlsOrigin } from '../gateways/index.ts'
import type { Host, Namespace } from '../host/index.ts'

/** Speaks TLS to pods whose certificates HAProxy cannot check: each is a unix socket, whose bytes go to the pod when its names are right. */
export class TlsOrigins {
  readonly #host: Host
  readonly #namespace: Namespace
  readonly #servers = new Map<string, { server: Server; origin: TlsOrigin }>()

  constructor(host: Host, namespace: Namespace) {
    this.#host = host
    this.#namespace = namespace
  }

  /** Listens for all that are given. Those that are not stay until `keepOnly`, since HAProxy may still use them. */
  async add(origins: ReadonlyMap<string, TlsOrigin>): Promise<void> {
    for (const [path, origin] of origins) {
      const known = this.#servers.get(path)
      if (known !== undefined) {
        known.origin = origin
        continue
      }
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      rmSync(path, { force: true })
      const server = createServer((socket) => this.#carry(socket, this.#servers.get(path)?.origin))
      server.unref()
      this.#servers.set(path, { server, origin })
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      server.once('error', reject)
      server.listen(path, resolve)
      await promise
    }
  }

  keepOnly(origins: ReadonlyMap<string, TlsOrigin>): void {
    for (const [path, { server }] of this.#servers) {
      if (origins.has(path)) continue
      server.close()
      this.#servers.delete(path)
    }
  }

  close(): void {
    this.keepOnly(new Map())
  }

  #carry(socket: Socket, origin: TlsOrigin | undefined): void {
    // HAProxy sees the end of the connection, and tells it as such.
    socket.on('error', () => {})
    if (origin === undefined) {
      socket.destroy()
      return
    }
    const { address, port } = origin.server
    let upstream: TLSSocket
    try {
      const raw = new Socket({ fd: this.#host.connectTcp(this.#namespace, address, port).fd })
      raw.on('error', () => socket.destroy())
      upstream = connect({
        socket: raw,
        servername: origin.host,
        ca: origin.authority ?? getCACertificates('system'),
        ALPNProtocols: [origin.alpn],
        minVersion: 'TLSv1.2',
        checkServerIdentity: (_, { raw: der }) => checkNames(origin, der),
        ...(origin.clientCertificate && { cert: origin.clientCertificate, key: origin.clientCertificate }),
      })
    } catch {
      socket.destroy()
      return
    }
    // An end that is not a reset: HAProxy 2.6 at times answers nothing to a request whose connection is reset at each try.
    upstream.on('error', () => socket.resume().end())
    upstream.once('secureConnect', () => {
      pipeline(socket, upstream, () => {})
      pipeline(upstream, socket, () => {})
    })
    socket.once('close', () => upstream.destroy())
  }
}

function checkNames({ names }: TlsOrigin, der: Buffer): Error | undefined {
  const { subjectAltName = '' } = new X509Certificate(der)
  const all = subjectAltName.split(/, (?=[A-Za-z ]+:)/)
  const of = (kind: string): string[] =>
    all.filter((one) => one.startsWith(`${kind}:`)).map((one) => unquote(one.slice(kind.length + 1)))
  if (hasWantedName(names, { hosts: of('DNS'), uris: of('URI') })) return undefined
  return new Error(`the certificate has none of ${names.map(({ value }) => value).join(', ')}`)
}

/** Names with odd characters are written as JSON has strings. */
function unquote(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return ''
  }
}
