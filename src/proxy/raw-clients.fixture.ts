import { type ClientHttp2Session, connect } from 'node:http2'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { GatewayRig } from './rig.fixture.ts'

/** How a client keeps connections: one for all requests, at once or after a pause each; one for each request; HTTP/2 without TLS. */
export type RawKind = 'busy' | 'idle' | 'close' | 'h2'

/**
 * Clients that try nothing again: a request whose connection breaks, that is refused or answered with another status than 200 has failed.
 * They obey `Connection: close` and GOAWAY, and notice a connection that is closed before they use it.
 */
export class RawClients {
  requests = 0
  /** How often, by what happened. */
  readonly failures = new Map<string, number>()
  readonly #gateway: GatewayRig
  readonly #port: number
  readonly #host: string
  readonly #path: string
  readonly #running: Promise<void>[] = []
  #done = false

  constructor(gateway: GatewayRig, port: number, host: string, path = '/') {
    this.#gateway = gateway
    this.#port = port
    this.#host = host
    this.#path = path
  }

  start(...kinds: readonly RawKind[]): void {
    for (const kind of kinds) this.#running.push(kind === 'h2' ? this.#http2() : this.#http1(kind))
  }

  async stop(): Promise<void> {
    this.#done = true
    await Promise.all(this.#running)
  }

  #count(kind: RawKind, failure: string | undefined): void {
    this.requests++
    if (failure === undefined) return
    const key = `${kind}: ${failure}`
    this.failures.set(key, (this.failures.get(key) ?? 0) + 1)
  }

  async #http1(kind: Exclude<RawKind, 'h2'>): Promise<void> {
    let socket: Socket | undefined
    while (!this.#done) {
      if (kind !== 'busy') await pause(kind === 'idle' ? Math.random() * 10 : 1)
      if (socket === undefined || socket.destroyed || socket.readableEnded) socket = this.#open()
      const connection = kind === 'close' ? 'close' : 'keep-alive'
      const answer = await exchange(
        socket,
        `GET ${this.#path} HTTP/1.1\r\nHost: ${this.#host}\r\nConnection: ${connection}\r\n\r\n`,
      )
      const failure = answer.failure ?? (answer.status === 200 ? undefined : `${answer.status}`)
      this.#count(kind, failure)
      if (failure !== undefined || answer.isLast) {
        socket.destroy()
        socket = undefined
      }
    }
    socket?.destroy()
  }

  #open(): Socket {
    const socket = this.#gateway.connect(this.#port)
    socket.on('error', () => {})
    return socket
  }

  async #http2(): Promise<void> {
    let session: ClientHttp2Session | undefined
    while (!this.#done) {
      await pause(1)
      if (session === undefined || session.closed || session.destroyed) {
        session = connect(`http://${this.#host}`, { createConnection: () => this.#open() })
        session.on('error', () => {})
      }
      const failure = await exchange2(session, this.#path)
      // Node refuses itself to send what GOAWAY has overtaken.
      if (failure?.endsWith('NGHTTP2_REFUSED_STREAM') && session.closed) continue
      this.#count('h2', failure)
    }
    session?.destroy()
  }
}

interface Exchanged {
  readonly status?: number
  readonly head?: string
  readonly body?: string
  /** Whether the connection is not to be used again. */
  readonly isLast?: boolean
  readonly failure?: string
}

/** Writes a request and reads one answer with a Content-Length. */
export function exchange(socket: Socket, request: string | Buffer): Promise<Exchanged> {
  const { promise, resolve } = Promise.withResolvers<Exchanged>()
  let text = ''
  const finish = (exchanged: Exchanged): void => {
    socket.off('data', take).off('error', fail).off('close', close)
    resolve(exchanged)
  }
  const take = (data: Buffer): void => {
    text += data.toString('latin1')
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = text.slice(0, end)
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
    if (text.length < end + 4 + length) return
    finish({
      status: Number(head.slice(9, 12)),
      head,
      body: text.slice(end + 4),
      isLast: /^connection: *close/im.test(head),
    })
  }
  const fail = (error: NodeJS.ErrnoException): void => finish({ failure: error.code ?? error.message })
  const close = (): void => finish({ failure: text === '' ? 'closed' : 'cut' })
  socket.on('data', take).on('error', fail).on('close', close)
  socket.write(request)
  return promise
}

function exchange2(session: ClientHttp2Session, path: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const stream = session.request({ ':path': path })
  let status = 0
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0
  })
  stream.on('error', (error: NodeJS.ErrnoException) => resolve(error.message))
  stream.on('end', () => resolve(status === 200 ? undefined : String(status)))
  stream.on('close', () => resolve(`closed with ${stream.rstCode}`))
  stream.resume()
  stream.end()
  return promise
}
