import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { errors } from '../objects/index.ts'
import { admitConnect } from './admission-request.ts'
import { authenticate } from './authentication.ts'
import type { Call, Core } from './core.ts'
import { effectiveUser } from './impersonation.ts'
import { parseResourcePath, segmentsOf } from './path.ts'
import { isProxied, proxyUpgrade } from './proxy.ts'
import { Refusal } from './refusal.ts'
import { isRelayed, kubeletTarget, relayUpgrade } from './relay.ts'
import { attemptOf } from './request-attempt.ts'
import { authorizeAudited, scopeOf, startWatch, urlOf } from './router.ts'
import type { Scope } from './scope.ts'
import { webSocketSink } from './sink.ts'
import { isTrue } from './watch.ts'

/** The protocols that a request may ask to change to; any other wish is ignored, as RFC 9110 section 7.8 allows. */
export function isUpgrade({ headers }: IncomingMessage): boolean {
  return /^(websocket|spdy\/3\.1)$/i.test(headers.upgrade ?? '')
}

/** Serves an upgrade request: a watch over WebSocket here, streams of pods at their kubelet. Refusals are thrown before anything was answered. */
export async function upgrade(core: Core, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const url = urlOf(request)
  const authenticated = authenticate(core, request)
  const path = parseResourcePath(segmentsOf(url.pathname))
  const method = request.method ?? 'GET'
  const attempt =
    path === undefined ? { verb: method.toLowerCase(), path: url.pathname } : attemptOf(path, method, url.searchParams)
  core.audit?.receive(socket, request, { user: authenticated, path, attempt })
  if (authenticated === undefined) throw new Refusal(errors.unauthorized())
  const user = effectiveUser(core, authenticated, request.headers)
  if (user !== authenticated) core.audit?.impersonate(socket, user)
  if (path === undefined) throw new Refusal(errors.noSuchResource())
  authorizeAudited(core, socket, user, attempt)
  const scope = scopeOf(core, path, user)
  const call: Call = {
    method: request.method ?? 'GET',
    query: url.searchParams,
    headers: request.headers,
    body: async () => Buffer.alloc(0),
    warn: () => undefined,
    annotate: (key, text) => core.audit?.annotate(socket, key, text),
  }
  if (scope.name === undefined && (path.watch || isTrue(call.query.get('watch'))))
    return watchUpgrade(core, scope, call, request, socket, head)
  if (scope.kind.kind === 'Pod' && isRelayed(scope.subresource) && scope.subresource !== 'log') {
    await admitConnect(core, scope, call)
    return relayUpgrade(kubeletTarget(core, scope, call), request, socket, head)
  }
  if (isProxied(scope)) {
    await admitConnect(core, scope, call)
    return proxyUpgrade(core, scope, request, socket, head)
  }
  throw new Refusal(errors.badRequest('this request cannot be upgraded'))
}

async function watchUpgrade(
  core: Core,
  scope: Scope,
  call: Call,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket')
    throw new Refusal(errors.badRequest('a watch can be upgraded to websocket only'))
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: 64 * 1024 })
  startWatch(core, scope, call, () => {
    // The frames wait in the queue until the handshake, which `ws` answers in this very turn, is done.
    let sink: ReturnType<typeof webSocketSink> | undefined
    server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate())
      sink = webSocketSink(webSocket)
    })
    if (sink === undefined) throw new Refusal(errors.badRequest('the WebSocket handshake failed'))
    return sink
  })
}
