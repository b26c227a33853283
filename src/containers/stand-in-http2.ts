import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { type Connection, describe, renderText } from './stand-in-http.ts'

const connections = new WeakMap<object, Connection>()
let server: Http2Server | undefined

// google.rpc.Code
const okStatus = 0
const unimplemented = 12

/** Serves one HTTP/2 connection (prior knowledge or ALPN) whose first bytes are in the socket's buffer. */
export function serveHttp2(socket: Socket, connection: Connection): void {
  if (server === undefined) {
    server = createServer()
    server.on('stream', answer)
    server.on('sessionError', () => undefined)
  }
  // A session of a socket that is gone has no handle, and Node reads on with it.
  if (socket.destroyed) return
  connections.set(socket, connection)
  server.once('session', (session: ServerHttp2Session) => connections.set(session, connection))
  server.emit('connection', socket)
}

function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const connection = stream.session === undefined ? undefined : connections.get(stream.session)
  stream.on('error', () => undefined)
  if (connection === undefined) {
    stream.close()
    return
  }
  const url = headers[':path'] ?? '/'
  const method = headers[':method'] ?? 'GET'
  const grpc = (headers['content-type'] ?? '').startsWith('application/grpc')
  connection.log(`${method} ${url} HTTP/2${grpc ? ' gRPC' : ''} from ${connection.seen.clientAddress}`)
  if (grpc) answerGrpc(stream, url, connection)
  else answerHttp(stream, url, headers, connection)
}

function answerHttp(
  stream: ServerHttp2Stream,
  url: string,
  headers: IncomingHttpHeaders,
  connection: Connection,
): void {
  const method = headers[':method'] ?? 'GET'
  const body = describe(connection, { method, url, protocol: 'HTTP/2', headers })
  const wantsJson = (headers.accept ?? '').includes('application/json')
  stream.resume()
  stream.respond({
    ':status': 200,
    'content-type': wantsJson ? 'application/json' : 'text/plain; charset=utf-8',
    'x-pod': connection.identity.pod,
  })
  stream.end(method === 'HEAD' ? '' : wantsJson ? `${JSON.stringify(body)}\n` : renderText(body))
}

/**
 * gRPC over HTTP/2: the health service says SERVING. Any other unary method gets an empty message, which is a valid message of
 * every protobuf type, and status OK; the `x-pod` header says who answered. Reflection and health's Watch are streams that
 * a stand-in cannot serve: UNIMPLEMENTED, as from a server without them.
 */
function answerGrpc(stream: ServerHttp2Stream, path: string, connection: Connection): void {
  const { pod, namespace, node } = connection.identity
  const refused = path.startsWith('/grpc.reflection.') || path === '/grpc.health.v1.Health/Watch'
  const trailers = refused
    ? { 'grpc-status': String(unimplemented), 'grpc-message': `stand-in ${namespace}/${pod} has no method ${path}` }
    : { 'grpc-status': String(okStatus) }
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'x-pod': pod, 'x-node': node },
    { waitForTrailers: true },
  )
  stream.once('wantTrailers', () => stream.sendTrailers(trailers))
  stream.resume()
  // Clients of such streams, as of reflection, wait for an answer before they end their side.
  if (refused) stream.end()
  else stream.once('end', () => stream.end(path === '/grpc.health.v1.Health/Check' ? healthServing : emptyMessage))
}

const emptyMessage = Buffer.from([0, 0, 0, 0, 0])

// A length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"): HealthCheckResponse { status: SERVING = 1 }.
const healthServing = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01])
