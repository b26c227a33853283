import type { IncomingMessage, ServerResponse } from 'node:http'
import { apiVersionOf, deprecationOf, errors, findKind } from '../objects/index.ts'
import { negotiate } from './accept.ts'
import { admitConnect } from './admission-request.ts'
import { type Answer, json } from './answer.ts'
import { authenticate } from './authentication.ts'
import type { Attempt } from './authorization.ts'
import { backupEndpoint, sendBackup } from './backup.ts'
import { parseBody, readBody } from './body.ts'
import type { Call, Core } from './core.ts'
import { authorize } from './decision.ts'
import { answerFixed } from './fixed-answers.ts'
import { effectiveUser } from './impersonation.ts'
import { parseResourcePath, type ResourcePath, segmentsOf } from './path.ts'
import { isProxied, proxyRequest } from './proxy.ts'
import { Refusal } from './refusal.ts'
import { isRelayed, kubeletTarget, relayAnswer } from './relay.ts'
import { attemptOf } from './request-attempt.ts'
import { getObject, listObjects, patchObject, postObject, putObject, removeCollection, removeOne } from './resource.ts'
import { answerReview } from './review.ts'
import { collectionOf, type Scope, type User } from './scope.ts'
import { parseSelector } from './selector.ts'
import { responseSink } from './sink.ts'
import { handleSubresource } from './subresource.ts'
import { includeObjectOf } from './table.ts'
import { isTrue, parseWatchOptions, serveWatch } from './watch.ts'

const open = new Set(['healthz', 'livez', 'readyz', 'version'])

/** Answers one request; undefined when the answer is a stream that is already being written. */
export async function route(
  core: Core,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answer | undefined> {
  const url = urlOf(request)
  const segments = segmentsOf(url.pathname)
  const authenticated = authenticate(core, request)
  const isOpen = open.has(segments[0] ?? '')
  const path = parseResourcePath(segments)
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
  const attempt =
    path === undefined ? { verb: method.toLowerCase(), path: url.pathname } : attemptOf(path, method, url.searchParams)
  const auditId = core.audit?.receive(response, request, { user: authenticated, path, attempt })
  if (auditId !== undefined) response.setHeader('audit-id', auditId)
  if (authenticated === undefined && !isOpen) throw new Refusal(errors.unauthorized())
  const user = authenticated && effectiveUser(core, authenticated, request.headers)
  if (user !== undefined && user !== authenticated) core.audit?.impersonate(response, user)
  if (path !== undefined) countAs(core, path, attempt.verb, response)
  if (user !== undefined && (path !== undefined || !isOpen)) authorizeAudited(core, response, user, attempt)
  if (url.pathname === backupEndpoint && user !== undefined && method === 'GET') {
    await sendBackup(core.store, response)
    return undefined
  }
  const fixed = answerFixed(core, request, segments)
  if (fixed !== undefined) return fixed
  if (path === undefined || user === undefined) throw new Refusal(errors.noSuchResource())
  const call = callOf(core, request, response, url.searchParams)
  if (path.subresource === 'proxy') return routeProxy(core, scopeOf(core, path, user), call, request, response)
  return routeResource(core, path, call, user, response)
}

/** Authorizes, and tells the audit log why or that not. `key` is what answers the request. */
export function authorizeAudited(core: Core, key: object, user: User, attempt: Attempt): void {
  const decide = (decision: string, reason: string) => {
    core.audit?.annotate(key, 'authorization.k8s.io/decision', decision)
    core.audit?.annotate(key, 'authorization.k8s.io/reason', reason)
  }
  try {
    decide('allow', authorize(core.reader, core.nodes, user, attempt))
  } catch (error) {
    decide('forbid', '')
    throw error
  }
}

const metricVerbs: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT' }

/** Names the request for the metrics, if it is about something that is served. */
function countAs(core: Core, path: ResourcePath, verb: string, response: ServerResponse): void {
  const { group, version, plural, namespace, name, subresource = '' } = path
  const kind = core.registry.find(group, version, plural)
  const known = kind !== undefined && (subresource === '' || kind.subresources.includes(subresource as never))
  if (!known) return
  const scope = name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster'
  const metricVerb = metricVerbs[verb] ?? verb.toUpperCase()
  core.metrics.label(response, { verb: metricVerb, group, version, resource: plural, subresource, scope })
}

/** The request's URL; 400 when it is none. */
export function urlOf(request: IncomingMessage): URL {
  const target = request.url ?? '/'
  const url = URL.parse(target.startsWith('/') ? `http://localhost${target}` : target)
  if (url === null) throw new Refusal(errors.badRequest('the request target is not a URL'))
  return url
}

function callOf(core: Core, request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Call {
  const warnings: string[] = []
  return {
    method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
    query,
    headers: request.headers,
    body: async () => {
      const bytes = await readBody(request)
      core.audit?.read(response, bytes, request.headers['content-type'])
      return bytes
    },
    annotate: (key, text) => core.audit?.annotate(response, key, text),
    warn: (message) => {
      if (warnings.length >= 20) return
      warnings.push(`299 - "${message.replace(/["\\]/g, '\\$&').replace(/[^\x20-\x7e]/g, '?')}"`)
      response.setHeader('warning', warnings)
    },
  }
}

/** The scope of a path; 404 for what is not served. */
export function scopeOf(core: Core, path: ResourcePath, user: User): Scope {
  const kind = core.registry.find(path.group, path.version, path.plural)
  if (kind === undefined) throw new Refusal(errors.noSuchResource())
  const { namespace, name, subresource } = path
  if (
    (namespace !== undefined && !kind.namespaced) ||
    (kind.namespaced && namespace === undefined && name !== undefined)
  )
    throw new Refusal(errors.noSuchResource())
  return { kind, collection: collectionOf(kind), namespace, name, subresource, user }
}

async function routeResource(
  core: Core,
  path: ResourcePath,
  call: Call,
  user: User,
  response: ServerResponse,
): Promise<Answer | undefined> {
  const review = core.registry.reviewsOf(path.group, path.version).find((kind) => kind.plural === path.plural)
  if (review !== undefined && path.name === undefined) {
    if (call.method !== 'POST') throw new Refusal(errors.methodNotAllowed())
    if ((path.namespace !== undefined) !== (review.namespaced ?? false)) throw new Refusal(errors.noSuchResource())
    const value = await parseBody(await call.body(), call.headers['content-type'])
    return json(answerReview(core, review, value, user, path.namespace), 201)
  }
  if (path.plural === 'bindings' && apiVersionOf(path) === 'v1' && path.namespace !== undefined)
    return bindByBody(core, path, call, user)
  const scope = scopeOf(core, path, user)
  const deprecation = deprecationOf(scope.kind)
  if (deprecation !== undefined) call.warn(deprecation)
  if (scope.name === undefined) return routeCollection(core, scope, call, path.watch, response)
  if (scope.subresource !== undefined) return routeSubresource(core, scope, call, response)
  switch (call.method) {
    case 'GET':
      return getObject(core, scope, call)
    case 'PUT':
      return putObject(core, scope, call)
    case 'PATCH':
      return patchObject(core, scope, call)
    case 'DELETE':
      return removeOne(core, scope, call)
    default:
      throw new Refusal(errors.methodNotAllowed())
  }
}

async function routeProxy(core: Core, scope: Scope, call: Call, request: IncomingMessage, response: ServerResponse) {
  if (!isProxied(scope)) throw new Refusal(errors.noSuchResource())
  await admitConnect(core, scope, call)
  await proxyRequest(core, scope, request, response)
  return undefined
}

async function routeCollection(core: Core, scope: Scope, call: Call, watch: boolean, response: ServerResponse) {
  switch (call.method) {
    case 'GET':
      if (!watch && !isTrue(call.query.get('watch'))) return listObjects(core, scope, call)
      startWatch(core, scope, call, () => responseSink(response))
      return undefined
    case 'POST':
      if (scope.kind.namespaced && scope.namespace === undefined) throw new Refusal(errors.methodNotAllowed())
      return postObject(core, scope, call)
    case 'DELETE':
      return removeCollection(core, scope, call)
    default:
      throw new Refusal(errors.methodNotAllowed())
  }
}

/** Checks a watch request, then opens its sink and serves it. */
export function startWatch(core: Core, scope: Scope, call: Call, sink: () => Parameters<typeof serveWatch>[4]): void {
  const { query } = call
  const form = negotiate(call.headers.accept, true)
  const selector = parseSelector(scope.kind, query.get('labelSelector'), query.get('fieldSelector'))
  const options = parseWatchOptions(query, form, includeObjectOf(query))
  serveWatch(core.store, scope, selector, options, sink())
}

async function routeSubresource(
  core: Core,
  scope: Scope,
  call: Call,
  response: ServerResponse,
): Promise<Answer | undefined> {
  if (
    scope.kind.kind === 'Pod' &&
    isRelayed(scope.subresource) &&
    scope.kind.subresources.includes(scope.subresource)
  ) {
    if (scope.subresource === 'log') {
      if (call.method !== 'GET') throw new Refusal(errors.methodNotAllowed())
      await relayAnswer(kubeletTarget(core, scope, call), response)
      return undefined
    }
    throw new Refusal(errors.badRequest('Upgrade request required'))
  }
  return handleSubresource(core, scope, call)
}

/** POST of a Binding to the namespace: the pod is named by its metadata. */
async function bindByBody(core: Core, path: ResourcePath, call: Call, user: User): Promise<Answer> {
  if (call.method !== 'POST' || path.name !== undefined) throw new Refusal(errors.methodNotAllowed())
  const body = await call.body()
  const value = (await parseBody(body, call.headers['content-type'])) as { metadata?: { name?: unknown } } | null
  const name = value?.metadata?.name
  if (typeof name !== 'string' || name === '') throw new Refusal(errors.badRequest('metadata.name names no pod'))
  const kind = findKind('', 'v1', 'pods')!
  const scope = { kind, collection: collectionOf(kind), namespace: path.namespace, name, subresource: 'binding', user }
  return handleSubresource(core, scope, { ...call, body: async () => body })
}
