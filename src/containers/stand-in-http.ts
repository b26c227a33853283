import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Identity, plainAddress, type Seen } from './identity.ts'

/** What an HTTP stand-in needs to know about the connection a request came on. */
export interface Connection {
  readonly identity: Identity
  readonly seen: Seen
  readonly secure: boolean
  readonly log: (line: string) => void
}

// One HTTP server for all stand-ins: a connection carries its identity, so a pod costs only its listening sockets.
const connections = new WeakMap<object, Connection>()
let server: Server | undefined

/** Serves one HTTP/1.1 connection whose first bytes are in the socket's buffer. */
export function serveHttp1(socket: Socket, connection: Connection): void {
  server ??= createServer({ keepAliveTimeout: 65_000, requestTimeout: 300_000, insecureHTTPParser: false }, answer)
  connections.set(socket, connection)
  server.emit('connection', socket)
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const connection = connections.get(request.socket)
  if (connection === undefined) {
    response.destroy()
    return
  }
  const { method = 'GET', url = '/', httpVersion, headers } = request
  const body = describe(connection, { method, url, protocol: `HTTP/${httpVersion}`, headers })
  const wantsJson = (headers.accept ?? '').includes('application/json')
  // The body is discarded, but read: a client that is still sending would otherwise be reset.
  request.resume()
  request.once('end', () => {
    const { status, location } = wantedStatus(url)
    response.writeHead(status, {
      'content-type': wantsJson ? 'application/json' : 'text/plain; charset=utf-8',
      'x-pod': connection.identity.pod,
      ...(location === undefined ? {} : { location }),
    })
    response.end(wantsJson ? `${JSON.stringify(body)}\n` : renderText(body))
    connection.log(`${method} ${url} HTTP/${httpVersion} ${status} from ${connection.seen.clientAddress}`)
  })
}

/** A request, as the answer repeats it. */
export interface RequestLine {
  readonly method: string
  readonly url: string
  readonly protocol: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What the stand-in says about itself and about what it saw. */
export function describe({ identity, seen, secure }: Connection, request: RequestLine): Record<string, unknown> {
  const { pod, namespace, node, container, image } = identity
  return {
    pod,
    namespace,
    node,
    container,
    image,
    address: seen.address,
    port: seen.port,
    client: seen.clientAddress,
    clientPort: seen.clientPort,
    request: {
      method: request.method,
      path: request.url,
      protocol: request.protocol,
      tls: secure,
      host: request.headers.host ?? request.headers[':authority'] ?? '',
      headers: request.headers,
    },
  }
}

/** The text form: a `key: value` line each, the request's headers indented below. */
export function renderText(body: Record<string, unknown>): string {
  const lines: string[] = []
  for (const [key, value] of Object.entries(body)) {
    if (typeof value !== 'object' || value === null) lines.push(`${key}: ${value}`)
    else {
      for (const [name, inner] of Object.entries(value)) {
        if (typeof inner !== 'object' || inner === null) lines.push(`${name}: ${inner}`)
        else for (const [header, text] of Object.entries(inner)) lines.push(`  ${header}: ${text}`)
      }
    }
  }
  return `${lines.join('\n')}\n`
}

/** `/status/503` answers with that status and `?status=503` too, so that a client can ask for failures. */
function wantedStatus(url: string): { status: number; location?: string } {
  const found = /^\/status\/([2-5]\d\d)(?:[/?]|$)/.exec(url) ?? /[?&]status=([2-5]\d\d)(?:&|$)/.exec(url)
  const status = found === null ? 200 : Number(found[1])
  return status >= 300 && status < 400 ? { status, location: '/' } : { status }
}

/** The addresses of a connection; undefined when it has already gone. */
export function seenBy(socket: Socket): Seen | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  if (remoteAddress === undefined || localPort === undefined || remotePort === undefined) return undefined
  return {
    address: plainAddress(localAddress),
    port: localPort,
    clientAddress: plainAddress(remoteAddress),
    clientPort: remotePort,
  }
}
