import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { errors } from '../objects/index.ts'
import type { Core } from './core.ts'
import { pageRewriter } from './proxy-html.ts'
import { type ProxyTarget, proxyTarget } from './proxy-target.ts'
import { Refusal } from './refusal.ts'
import { joinStreams, writeHead } from './relay.ts'
import type { Scope } from './scope.ts'

const connectMs = 30_000
/** Fields that belong to one connection (RFC 9110, section 7.6.1). */
const hopByHop = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/
/** What the client told the API server and nobody behind it; pages whose links are rewritten must not be compressed. */
const ours = /^(authorization|accept-encoding|impersonate-.*)$/
/** What a backend must not allow scripts of other origins in the API server's name. */
const crossOrigin = /^access-control-allow-(credentials|headers|methods|origin)$/
const ownPath = /^(\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy)(\/.*)?$/

/** Whether the scope is the `proxy` subresource of a kind that has one. */
export function isProxied({ kind, subresource }: Scope): boolean {
  return subresource === 'proxy' && kind.subresources.includes('proxy')
}

/** Hands a request to a pod, to an endpoint of a Service or to a node, and its answer back, as upstream's UpgradeAwareHandler does. */
export function proxyRequest(
  core: Core,
  scope: Scope,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prefix, path, query } = splitPath(request)
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (path === '' && isRead) {
    response.writeHead(301, { location: `${prefix}/${query}`, 'content-length': 0 }).end()
    return Promise.resolve()
  }
  const target = proxyTarget(core, scope)
  return new Promise((resolve, reject) => {
    const outgoing = open(target, {
      method: request.method ?? 'GET',
      path: `${path || '/'}${query}`,
      headers: forwarded(request),
    })
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy()
      else reject(unreachable(target, error))
      resolve()
    })
    outgoing.on('response', (answer) => {
      const headers = returned(answer.headers, target, prefix)
      const isPage = /^text\/html\b/i.test(answer.headers['content-type'] ?? '') && !answer.headers['content-encoding']
      if (isPage) delete headers['content-length']
      response.writeHead(answer.statusCode ?? 502, headers)
      answer.on('error', () => response.destroy())
      answer.on('end', resolve)
      if (isPage) answer.pipe(pageRewriter((url) => throughUs(url, target, prefix))).pipe(response)
      else answer.pipe(response)
    })
    response.on('close', () => outgoing.destroy())
    request.pipe(outgoing)
  })
}

/** The same for a request that changes the protocol. */
export function proxyUpgrade(
  core: Core,
  scope: Scope,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { path, query } = splitPath(request)
  const target = proxyTarget(core, scope)
  const { connection, upgrade } = request.headers
  return new Promise((resolve, reject) => {
    const outgoing = open(target, {
      method: request.method ?? 'GET',
      path: `${path || '/'}${query}`,
      headers: { ...forwarded(request), connection, upgrade },
    })
    outgoing.on('error', (error) => reject(unreachable(target, error)))
    outgoing.on('response', (answer) => {
      writeHead(socket, answer)
      answer.pipe(socket)
      resolve()
    })
    outgoing.on('upgrade', (answer, backend, backendHead) => {
      writeHead(socket, answer)
      socket.write(backendHead)
      backend.write(head)
      backend.setTimeout(0)
      joinStreams(socket, backend)
      resolve()
    })
    socket.on('close', () => outgoing.destroy())
    outgoing.end()
  })
}

/** The parts of a proxied request's target, as they were escaped; `query` has its question mark. */
function splitPath(request: IncomingMessage): { prefix: string; path: string; query: string } {
  const [, whole = '/', query = ''] = /^(?:https?:\/\/[^/]*)?([^?]*)(\?.*)?$/.exec(request.url ?? '/') ?? []
  const [, prefix = whole, path = ''] = ownPath.exec(whole) ?? []
  return { prefix, path, query }
}

function open(target: ProxyTarget, options: RequestOptions) {
  const { scheme, host, port, kubelet } = target
  const all = { host, port, ...kubelet, ...options, agent: false, timeout: connectMs }
  const outgoing = scheme === 'https' ? httpsRequest({ rejectUnauthorized: false, ...all }) : httpRequest(all)
  // The time is for the connection alone: what a backend takes to answer is its own business.
  outgoing.on('socket', (socket) => socket.once('connect', () => outgoing.setTimeout(0)))
  outgoing.on('timeout', () => outgoing.destroy(new Error('i/o timeout')))
  return outgoing
}

function forwarded({ headers, socket, url }: IncomingMessage): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const kept = Object.entries(headers).filter(
    ([name]) => !hopByHop.test(name) && !ours.test(name) && (name === 'host' || !named.has(name)),
  )
  const before = headers['x-forwarded-for']
  const client = socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
  return {
    ...Object.fromEntries(kept),
    'x-forwarded-for': before === undefined ? client : `${before}, ${client}`,
    'x-forwarded-host': headers.host,
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': url?.replace(/\?.*/, ''),
  }
}

function returned(headers: IncomingHttpHeaders, target: ProxyTarget, prefix: string): OutgoingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => !hopByHop.test(name) && !crossOrigin.test(name))
  const { location } = headers
  return {
    ...Object.fromEntries(kept),
    ...(location === undefined ? {} : { location: throughUs(location, target, prefix) }),
  }
}

/** A URL by which the backend names itself leads through the proxy again. */
function throughUs(location: string, { scheme, host, port }: ProxyTarget, prefix: string): string {
  const own = new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`)
  const url = URL.parse(location, own.href)
  if (url === null || url.host !== own.host || !/^(\/(?!\/)|[a-z]+:\/\/)/i.test(location)) return location
  return `${prefix}${url.pathname}${url.search}${url.hash}`
}

function unreachable({ host, port }: ProxyTarget, error: Error): Refusal {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const cause = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'connection refused' : error.message
  return new Refusal(errors.serviceUnavailable(`error trying to reach service: dial tcp ${place}: connect: ${cause}`))
}
