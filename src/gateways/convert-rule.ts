import type { Service } from '../objects/index.ts'
import { findPort, protocolOf } from './backend.ts'
import type { Converted, Note } from './convert-objects.ts'
import type { HTTPRouteRule, PathModifier, RouteFilter } from './gateway-api.ts'
import type { Claim } from './ingress-claims.ts'
import type { Filter, PathPattern } from './model.ts'
import type { Lookup } from './sources.ts'

type Tell = (kind: Note['kind'], code: string, says: string, remedy: string) => void

/**
 * A claim as a rule of an HTTPRoute; undefined when it cannot be served as it was meant, which is told. `isChecked`: clients of its host
 * have to show certificates.
 */
export function convertRule(
  claim: Claim,
  isChecked: boolean,
  services: Lookup<Service>,
  into: Converted,
): HTTPRouteRule | undefined {
  const { settings, because, headers, ingress, backends } = claim
  const tell: Tell = (kind, code, says, remedy) =>
    into.note({ kind, code, object: because.object, field: because.field, says, try: remedy })
  // Why it is blocked is told already.
  if (settings.blocked !== undefined) return undefined
  if (settings.external !== undefined || settings.userList !== undefined || isChecked) {
    const says = 'the standard channel of the Gateway API has no word for who may pass, so the route is left out'
    const remedy =
      'look for it among the policies of the Gateway that you use, take the annotation away and convert again'
    tell('lost', 'RequestsNotAuthenticated', says, remedy)
    return undefined
  }
  const shape = shapeOf(claim, tell)
  if (shape === undefined) return undefined
  const converted = convertFilters(shape.filters, tell)
  if (converted === undefined) return undefined
  const filters = [...convertMirror(claim), ...converted]
  const backendRefs = into.backendRefs(claim, services)
  if (backendRefs === undefined) return undefined
  const { protocol, tls, retry, persistence, balance, connectTimeoutMs, limits, mostBodyBytes, viaService } =
    settings.particular
  if (settings.pods.secret !== undefined) {
    const says = `a certificate of secret/${settings.pods.secret} that is shown to the pods of this route alone has no word in the Gateway API`
    tell('lost', 'CertificateNotShown', says, 'name it in spec.tls.backend of the Gateway, for all its routes')
  }
  const lost = (code: string, says: string): void =>
    tell('lost', code, says, 'look for it among the policies of the Gateway that you use')
  if (mostBodyBytes !== undefined) lost('BodyNotLimited', `bodies longer than ${mostBodyBytes} bytes are let through`)
  if (limits !== undefined) lost('ClientsNotLimited', 'the Gateway API has no word for limits of clients')
  if (balance !== undefined) lost('PodsInTurn', 'how a pod is chosen the Gateway API leaves to each implementation')
  if (viaService)
    lost('PodsAsked', 'whether pods or their Service are asked the Gateway API leaves to each implementation')
  const { mirror, errors } = settings
  if (errors !== undefined) lost('ErrorsOfPods', 'the Gateway API has no word for who answers where pods do not')
  if (mirror?.host !== undefined || mirror?.isBodiless)
    lost('CopiesAsTheyCame', 'copies of requests have their host and their body')
  if (persistence?.path !== undefined || persistence?.domain !== undefined || persistence?.sameSite !== undefined)
    lost(
      'SessionCookie',
      'path, domain and SameSite of cookies of sessions the Gateway API leaves to each implementation',
    )
  if (connectTimeoutMs !== undefined)
    lost('ConnectTimeout', 'the Gateway API has no time for a connection to be accepted')
  for (const { backend } of backends) {
    const { name = '', port } = backend.service ?? {}
    if (tls !== undefined) into.addPolicy(ingress, name, tls.host || `${name}.${ingress.metadata.namespace}.svc`)
    const service = services.get(`${ingress.metadata.namespace}/${name}`)
    const spoken = service && protocolOf(findPort(service, port)?.appProtocol)
    if (protocol === 'h2c' && spoken !== 'h2c')
      tell(
        'lost',
        'ProtocolOfService',
        `pods of service/${name} speak HTTP/2, which a route cannot say`,
        `set appProtocol: kubernetes.io/h2c on the port of service/${name}`,
      )
  }
  const matched = headers.map(({ name, kind, value }) => ({
    name,
    type: kind === 'exact' ? 'Exact' : 'RegularExpression',
    value,
  }))
  const match = { path: convertPath(shape.path, tell), ...(matched.length > 0 && { headers: matched }) }
  const experimental = (field: string): void =>
    tell(
      'changed',
      'Experimental',
      `${field} is in the experimental channel of the Gateway API`,
      'install its experimental CRDs',
    )
  if (persistence !== undefined) experimental('sessionPersistence')
  if (retry !== undefined && retry.attempts > 0) experimental('retry')
  return {
    matches: [match],
    ...(filters.length > 0 && { filters }),
    ...(backendRefs.length > 0 && { backendRefs }),
    ...(settings.timeoutMs && { timeouts: { backendRequest: `${settings.timeoutMs / 1000}s` } }),
    ...(retry && retry.attempts > 0 && { retry: { attempts: retry.attempts } }),
    ...(persistence && { sessionPersistence: sessionOf(persistence) }),
  }
}

function sessionOf({ name, maxAgeSeconds }: NonNullable<Claim['settings']['particular']['persistence']>) {
  const permanent = { absoluteTimeout: `${maxAgeSeconds}s`, cookieConfig: { lifetimeType: 'Permanent' } }
  return { sessionName: name, type: 'Cookie', ...(maxAgeSeconds !== undefined && permanent) }
}

const elements = String.raw`((?:\/[\w-]+)*)`
const tail = String.raw`\(\/\|\$\)\(\.\*\)`
/** The expression of a path, `(?:PATH).*`, that means a prefix: `/api(/|$)(.*)`, or `/`. */
const prefixExpression = new RegExp(String.raw`^\(\?:(?:${elements}${tail}|\/)\)\.\*$`)

/** `/api(/|$)(.*)` is a prefix, and rewritten to `/v2/$2` what replacing it means; other groups have no counterpart. */
function shapeOf({ path, filters }: Claim, tell: Tell): Pick<Claim, 'path' | 'filters'> | undefined {
  const isPrefix = path.kind === 'regex' ? prefixExpression.exec(path.value) : null
  const prefix = isPrefix?.[1] ?? ''
  const simple: PathPattern = isPrefix === null ? path : { kind: 'prefix', value: prefix }
  const at = filters.findIndex((filter) => filter.kind === 'rewrite' && filter.path?.kind === 'regex')
  const filter = filters[at]
  if (filter?.kind !== 'rewrite' || filter.path?.kind !== 'regex') return { path: simple, filters }
  const { path: target } = filter.path
  const isGrouped = /\((?!\?)/.test(path.value)
  if (!isGrouped || !target.includes('\\')) {
    // A group that is not there is empty.
    const change: Filter = { kind: 'rewrite', path: { kind: 'full', path: target.replace(/\\\d/g, '') || '/' } }
    return { path: simple, filters: filters.with(at, change) }
  }
  const to = /^((?:\/[\w.-]+)*)\/\\2$/.exec(target)?.[1]
  if (isPrefix !== null && to !== undefined) {
    if (to !== '')
      tell('changed', 'RewrittenRoot', `${prefix || '/'} alone becomes ${to}, and ${to}/ before`, 'let pods serve both')
    const change: Filter = { kind: 'rewrite', path: { kind: 'prefix', prefix, path: to || '/' } }
    return { path: simple, filters: filters.with(at, change) }
  }
  const says = 'a rewrite with groups of a regular expression has no counterpart'
  tell('lost', 'RewriteByGroups', says, 'write it as PathPrefix and ReplacePrefixMatch')
  return undefined
}

function convertPath({ kind, value }: PathPattern, tell: Tell): { type: string; value: string } {
  if (kind === 'exact') return { type: 'Exact', value }
  if (kind === 'prefix') return { type: 'PathPrefix', value: value || '/' }
  tell(
    'changed',
    'RegularExpression',
    `what ${value} matches, and before which other paths, each implementation decides`,
    'use PathPrefix or Exact',
  )
  return { type: 'RegularExpression', value }
}

/** Undefined when one of them fences and cannot be carried over. */
function convertFilters(filters: readonly Filter[], tell: Tell): RouteFilter[] | undefined {
  const converted: RouteFilter[] = []
  // A rule has one URLRewrite at most.
  let rewrite: NonNullable<RouteFilter['urlRewrite']> | undefined
  for (const filter of filters) {
    switch (filter.kind) {
      case 'sources':
        tell(
          'lost',
          'SourcesNotFenced',
          'the Gateway API has no word for addresses that may come, so the route is left out',
          'fence the pods by a NetworkPolicy, take the annotation away and convert again',
        )
        return undefined
      case 'rewrite':
        rewrite = {
          ...rewrite,
          ...(filter.host && { hostname: filter.host }),
          ...(filter.path && { path: modifierOf(filter.path) }),
        }
        break
      case 'redirect':
        converted.push(redirectOf(filter, tell))
        break
      case 'cors':
        converted.push({
          type: 'CORS',
          cors: {
            allowOrigins: [...filter.origins],
            allowMethods: [...filter.methods],
            allowHeaders: [...filter.headers],
            exposeHeaders: [...filter.expose],
            allowCredentials: filter.credentials,
            maxAge: filter.maxAgeSeconds,
          },
        })
        break
      case 'request-headers': {
        const set = filter.change.set.map(([name, value]) => ({ name, value }))
        converted.push({ type: 'RequestHeaderModifier', requestHeaderModifier: { set } })
        break
      }
      case 'response-headers': {
        const set = filter.change.set.map(([name, value]) => ({ name, value }))
        converted.push({ type: 'ResponseHeaderModifier', responseHeaderModifier: { set } })
        break
      }
      case 'answers':
        tell(
          'lost',
          'AnswersNotRewritten',
          'the Gateway API has no word for addresses in answers',
          'let the Service know its outer name',
        )
        break
      // Those who may pass are told, and the others are no filters yet.
      case 'client-certificate':
      case 'basic-auth':
      case 'external-auth':
      case 'external-check':
      case 'mirror':
      case 'failed':
      case 'errors':
        break
      default:
        return filter satisfies never
    }
  }
  return rewrite === undefined ? converted : [...converted, { type: 'URLRewrite', urlRewrite: rewrite }]
}

/** A Service of another namespace is told as not permitted already. */
function convertMirror({ settings: { mirror }, backends }: Claim): RouteFilter[] {
  if (mirror === undefined || backends.length === 0) return []
  const { name, port } = mirror.at
  return [{ type: 'RequestMirror', requestMirror: { backendRef: { name, port } } }]
}

/** HTTPRequestRedirectFilter `statusCode`. */
const statuses = [301, 302, 303, 307, 308]

function redirectOf({ status, scheme, host, port, path }: Filter & { kind: 'redirect' }, tell: Tell): RouteFilter {
  const isKnown = statuses.includes(status)
  if (!isKnown)
    tell('changed', 'RedirectStatus', `status ${status} becomes 302`, 'take one of 301, 302, 303, 307 and 308')
  return {
    type: 'RequestRedirect',
    requestRedirect: {
      ...(scheme && { scheme }),
      ...(host && { hostname: host }),
      ...(port && { port }),
      ...(path && { path: modifierOf(path) }),
      statusCode: isKnown ? status : 302,
    },
  }
}

function modifierOf(path: NonNullable<(Filter & { kind: 'rewrite' })['path']>): PathModifier {
  if (path.kind === 'prefix') return { type: 'ReplacePrefixMatch', replacePrefixMatch: path.path }
  return { type: 'ReplaceFullPath', replaceFullPath: path.path }
}
