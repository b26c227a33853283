import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { WebSocket } from 'ws'
import type { ConnectOptions, Credentials } from './connection.ts'
import type { Probes } from './reachability.ts'

/** A whole answer. */
export interface Answer {
  readonly code: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Requests and streams to one server over keep-alive connections; watches have connections of their own. */
export interface Transport {
  readonly server: string
  request(method: string, path: string, body: string | undefined, headers: Record<string, string>): Promise<Answer>
  /** The answer as it arrives, once its head is there. Aborting `signal` cuts the connection. */
  stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage>
  /** A WebSocket that is about to open, on a connection of its own. */
  upgrade(path: string, protocols: readonly string[]): Promise<WebSocket>
  readonly probes: Probes
  /** The server can be reached again: requests that have waited for longer fail, and no connection of before is used again. */
  renew(agedMs: number): void
  close(): void
}

/** A transport for these credentials; loads node:https only now, because importing it costs more than all of the client. */
export function openTransport(credentials: Credentials, options: ConnectOptions): Transport {
  const url = new URL(credentials.server)
  const secure = url.protocol === 'https:'
  const make = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
  const agent = openAgent(credentials, secure, options.maxConnections ?? 32)
  const watchAgent = openAgent(credentials, secure, Number.POSITIVE_INFINITY)
  const askAgent = openAgent(credentials, secure, 1)
  const waiting = new Map<ClientRequest, { readonly path: string; readonly begun: number }>()
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const prefix = url.pathname.replace(/\/$/, '')
  const timeoutMs = options.timeoutMs ?? 60_000

  const start = (method: string, path: string, headers: Record<string, string>, more: RequestOptions): ClientRequest =>
    make.request({
      host,
      port,
      method,
      path: prefix + path,
      headers: { host: url.host, 'user-agent': options.userAgent, ...authorization(credentials), ...headers },
      ...more,
    })

  const once = (method: string, path: string, body: string | undefined, headers: Record<string, string>) =>
    new Promise<Answer>((resolve, reject) => {
      const request = start(method, path, bodyHeaders(body, headers), { agent })
      waiting.set(request, { path, begun: performance.now() })
      request.on('close', () => waiting.delete(request))
      request.setTimeout(timeoutMs, () => request.destroy(timeoutError(method, path, timeoutMs)))
      request.on('error', (error) => reject(Object.assign(error, { reusedSocket: request.reusedSocket })))
      request.on('response', (response) => collect(response).then(resolve, reject))
      request.end(body)
    })

  return {
    server: credentials.server,
    async request(method, path, body, headers) {
      try {
        return await once(method, path, body, headers)
      } catch (error) {
        // The server may close an idle connection in the very moment of our request; a read can simply be asked again.
        const { code, reusedSocket } = error as { code?: string; reusedSocket?: boolean }
        if (method !== 'GET' || !reusedSocket || (code !== 'ECONNRESET' && code !== 'EPIPE')) throw error
        return once(method, path, body, headers)
      }
    },
    stream: (path, headers, signal) =>
      new Promise((resolve, reject) => {
        const request = start('GET', path, headers, { agent: watchAgent, signal })
        // Only until the head is here: a watch may be silent for long, and the reader of it has a clock of its own.
        request.setTimeout(timeoutMs, () => request.destroy(timeoutError('GET', path, timeoutMs)))
        request.on('error', reject)
        request.on('response', (response) => {
          request.setTimeout(0)
          resolve(response)
        })
        request.end()
      }),
    async upgrade(path, protocols) {
      const { WebSocket } = await import('ws')
      const headers = { 'user-agent': options.userAgent, ...authorization(credentials) }
      const target = `${secure ? 'wss' : 'ws'}://${url.host}${prefix}${path}`
      return new WebSocket(target, [...protocols], {
        agent: watchAgent,
        headers,
        handshakeTimeout: timeoutMs,
        perMessageDeflate: false,
      })
    },
    probes: {
      ask: (signal) =>
        new Promise((resolve, reject) => {
          const request = start('GET', '/version', {}, { agent: askAgent, signal })
          request.on('error', reject)
          request.on('response', (response) => {
            response.resume().on('error', () => undefined)
            resolve()
          })
          request.end()
        }),
      reach: (withinMs) => handshake(host, port, withinMs),
    },
    renew(agedMs) {
      const now = performance.now()
      for (const [request, { path, begun }] of waiting)
        if (now - begun > agedMs) request.destroy(timeoutError(request.method, path, Math.round(now - begun)))
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
    },
    close() {
      agent.destroy()
      watchAgent.destroy()
      askAgent.destroy()
    },
  }
}

/** The body of an answer, whole. */
export async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }
}

function openAgent(credentials: Credentials, secure: boolean, maxSockets: number): Agent {
  // libuv probes each second once keepAliveMsecs have passed, so a peer that vanished is noticed in about 25 s.
  // All connections of a busy moment are kept for the next one: a handshake costs more than most requests.
  const shared = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets, maxFreeSockets: 32 }
  if (!secure) return new (process.getBuiltinModule('node:http').Agent)(shared)
  const tls = process.getBuiltinModule('node:tls')
  const { serverName, ca, cert, key, insecureSkipTlsVerify } = credentials
  return new (process.getBuiltinModule('node:https').Agent)({
    ...shared,
    // Made once: parsing the certificates anew for each connection takes 2 ms.
    secureContext: tls.createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
    ...(serverName && { servername: serverName }),
    rejectUnauthorized: insecureSkipTlsVerify !== true,
  })
}

function authorization(credentials: Credentials): Record<string, string> {
  const { token, basic } = credentials
  if (token) return { authorization: `Bearer ${token()}` }
  if (basic) return { authorization: `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}` }
  return {}
}

function bodyHeaders(body: string | undefined, headers: Record<string, string>): Record<string, string> {
  if (body === undefined) return headers
  return { 'content-type': 'application/json', ...headers, 'content-length': String(Buffer.byteLength(body)) }
}

/** Whether packets go to a port and back within the time: a refusal is one, too. */
function handshake(host: string, port: number, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = process.getBuiltinModule('node:net').connect({ host, port })
    const end = (isAnswered: boolean): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(isAnswered)
    }
    const late = setTimeout(end, withinMs, false)
    socket.on('connect', () => end(true))
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' || code === 'ECONNRESET'))
  })
}

function timeoutError(method: string, path: string, timeoutMs: number): Error {
  return Object.assign(new Error(`${method} ${path}: no answer for ${timeoutMs} ms`), { code: 'ETIMEDOUT' })
}
