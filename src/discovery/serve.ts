import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Snapshot } from '../cluster/index.ts'
import { type AppOptions, compileApps, compileInstances, compileState } from './apps.ts'
import { Streams } from './stream.ts'

/** What the handler answers from. */
export interface DiscoverySource {
  readonly snapshot: Snapshot
  /** Whether the first lists are there; until then every answer is 503. */
  readonly isSynced: () => boolean
  /** Calls back after each change of the snapshot. */
  readonly onChange: (changed: () => void) => void
}

/** `/apps`, `/apps/{name}`, `/apps/{name}/{instanceId}`, `/state` as Spring Cloud Kubernetes' discovery server, `/actuator/health`, entity tags, and as server-sent events where the client accepts those. */
export function discoveryHandler(
  source: DiscoverySource,
  options: AppOptions = {},
): (request: IncomingMessage, response: ServerResponse) => void {
  const streams = new Streams()
  source.onChange(() => streams.changed())
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      send(request, response, 405, { status: 405, error: 'Method Not Allowed' })
      return
    }
    const path = segmentsOf(request.url ?? '/')
    if (path === undefined) return send(request, response, 400, { status: 400, error: 'Bad Request' })
    const isSynced = source.isSynced()
    if (path[0] === 'actuator' && path[1] === 'health')
      return send(request, response, isSynced ? 200 : 503, { status: isSynced ? 'UP' : 'OUT_OF_SERVICE' })
    if (!isSynced) return send(request, response, 503, { status: 503, error: 'Service Unavailable' })
    const answer = answerTo(source.snapshot, path, options)
    if (answer === undefined) return send(request, response, 404, { status: 404, error: 'Not Found' })
    if (request.headers.accept?.includes('text/event-stream')) {
      const again = () => JSON.stringify(answerTo(source.snapshot, path, options))
      if (!streams.add(request, response, again))
        send(request, response, 503, { status: 503, error: 'Service Unavailable' })
      return
    }
    send(request, response, 200, answer)
  }
}

/** `null`: there is no such instance, which Spring answers with 200 and no body. */
function answerTo(snapshot: Snapshot, path: readonly string[], options: AppOptions): unknown {
  const [head, name, id] = path
  if (head === 'state' && path.length === 1) return compileState(snapshot)
  // The singular is what older clients ask for.
  if (head !== 'apps' && !(head === 'app' && path.length === 3)) return undefined
  if (name === undefined) return compileApps(snapshot, options)
  if (path.length > 3) return undefined
  const instances = compileInstances(snapshot, name, options)
  return id === undefined ? instances : (instances.find(({ instanceId }) => instanceId === id) ?? null)
}

function segmentsOf(url: string): string[] | undefined {
  try {
    const path = url.split('?')[0] ?? ''
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent)
  } catch {
    return undefined
  }
}

function send(request: IncomingMessage, response: ServerResponse, status: number, body: unknown): void {
  const text = body === null ? '' : JSON.stringify(body)
  const tag = `"${createHash('sha1').update(text).digest('base64url')}"`
  if (status === 200 && request.headers['if-none-match'] === tag) {
    response.writeHead(304, { etag: tag }).end()
    return
  }
  response.writeHead(status, {
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(text),
    etag: tag,
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

/** Serves the handler; resolves when it listens. */
export function listenDiscovery(
  source: DiscoverySource,
  address: { host?: string; port: number },
  options: AppOptions = {},
): Promise<Server> {
  const server = createServer(discoveryHandler(source, options))
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, () => resolve(server))
  })
}
