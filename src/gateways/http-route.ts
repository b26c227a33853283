import { keyOf } from '../cluster/index.ts'
import { AnnotationReader } from './annotation-reader.ts'
import type { Backends, Referring } from './backend-reference.ts'
import { parseDuration } from './duration.ts'
import { compileFilters } from './filters.ts'
import type { GRPCRoute, GRPCRouteRule, HTTPRoute, HTTPRouteRule, NamedMatch, RuleCommon } from './gateway-api.ts'
import { readLimits } from './ingress-particulars.ts'
import { fitted } from './keyed.ts'
import { regexFault } from './match.ts'
import type { Because, HttpAction, HttpRule, PathPattern, ValueMatch, WeightedTarget } from './model.ts'
import { type Verdict, verdict } from './verdict.ts'

/** The rules of a route, in its order, and what its references come to. */
export interface CompiledRoute {
  readonly rules: readonly HttpRule[]
  readonly refused?: Verdict
  /** About matches that are left out. */
  readonly unserved?: Verdict
}

type Match = Pick<HttpRule, 'path' | 'method' | 'headers' | 'query'>

export function compileHttpRoute(route: HTTPRoute, backends: Backends, from: Referring): CompiledRoute {
  return compileRules(route, route.spec?.rules ?? [], httpMatches, backends, from)
}

export function compileGrpcRoute(route: GRPCRoute, backends: Backends, from: Referring): CompiledRoute {
  return compileRules(route, route.spec?.rules ?? [], grpcMatches, backends, from)
}

function compileRules<Rule extends RuleCommon>(
  route: HTTPRoute | GRPCRoute,
  rules: readonly Rule[],
  matchesOf: (rule: Rule) => readonly Match[],
  backends: Backends,
  from: Referring,
): CompiledRoute {
  const object = `${from.kind.toLowerCase()}/${keyOf(route)}`
  let refused: Verdict | undefined
  let unserved: Verdict | undefined
  const read = new AnnotationReader(route.metadata.annotations ?? {}, object, ['plumb.network/'])
  const limits = readLimits(read, object)
  const [fault] = read.findings
  if (fault !== undefined) unserved = verdict(false, 'UnsupportedValue', `${fault.field}: ${fault.says}`)
  const compiled = rules.flatMap((rule, at) => {
    const because = { object, field: `spec.rules[${at}]`, value: rule.name ?? '' }
    const actions = new Map<string, HttpAction>()
    return matchesOf(rule).flatMap((match, index): HttpRule[] => {
      const fault = faultOf(match)
      if (fault !== undefined) {
        unserved ??= verdict(false, 'UnsupportedValue', `${because.field}.matches[${index}]: ${fault}`)
        return []
      }
      // Only filters that replace the matched prefix differ between the matches of a rule.
      const prefix = match.path.kind === 'prefix' ? match.path.value : ''
      const made =
        actions.get(prefix) ??
        compileAction(`${object}/${rule.name || at}${actions.size === 0 ? '' : `.${actions.size}`}`, rule, match.path, {
          backends,
          from: limits === undefined ? from : { ...from, limits },
          because,
          refuse: (verdict) => {
            refused ??= verdict
          },
          unsupport: (says) => {
            unserved ??= verdict(false, 'UnsupportedValue', says)
          },
        })
      actions.set(prefix, made)
      return [{ ...match, action: made, because: { ...because, field: `${because.field}.matches[${index}]` } }]
    })
  })
  return { rules: fitted(compiled), ...(refused && { refused }), ...(unserved && { unserved }) }
}

function faultOf({ path, headers, query }: Match): string | undefined {
  for (const { kind, value } of [path, ...headers, ...query]) {
    const fault = kind === 'regex' ? regexFault(value) : undefined
    if (fault !== undefined)
      return `the regular expression ${JSON.stringify(value.slice(0, 80))} cannot be used: ${fault}`
  }
  return undefined
}

interface Place {
  readonly backends: Backends
  readonly from: Referring
  readonly because: Because
  readonly refuse: (verdict: Verdict) => void
  readonly unsupport: (says: string) => void
}

function compileAction(id: string, rule: RuleCommon, path: PathPattern, place: Place): HttpAction {
  const { backends, because, refuse, unsupport } = place
  const from = { ...place.from, ...particulars(rule) }
  const own = compileFilters(rule.filters ?? [], path, backends, from, because)
  if (own.refused) refuse(own.refused)
  if (own.unsupported) unsupport(own.unsupported)
  const broken = (says: string): WeightedTarget => ({
    weight: 1,
    target: { kind: 'broken', because, says },
    filters: [],
  })
  const targets = (rule.backendRefs ?? []).map((reference, at): WeightedTarget => {
    const field = { ...because, field: `${because.field}.backendRefs[${at}]`, value: reference.name }
    const found = backends.resolve(reference, from, field)
    if (found.refused) refuse(found.refused)
    const theirs = compileFilters(reference.filters ?? [], path, backends, from, field)
    if (theirs.refused) refuse(theirs.refused)
    if (theirs.unsupported) unsupport(theirs.unsupported)
    const weight = Math.max(0, reference.weight ?? 1)
    if (theirs.broken) return { ...broken(theirs.broken), weight }
    return { weight, target: found.target, filters: theirs.filters }
  })
  const isAnswered = own.filters.some(({ kind }) => kind === 'redirect')
  const timeoutMs = timeoutOf(rule as HTTPRouteRule)
  const chosen =
    own.broken !== undefined
      ? [broken(own.broken)]
      : isAnswered
        ? []
        : targets.some(({ weight }) => weight > 0)
          ? fitted(targets.filter(({ weight }) => weight > 0))
          : [broken(targets.length === 0 ? 'no backend is named' : 'all backends have weight 0')]
  return { id, filters: own.filters, targets: chosen, ...(timeoutMs && { timeoutMs }) }
}

/** Of the two timeouts the shorter: HAProxy has no clock for the whole of a request. 0 is none. */
function timeoutOf({ timeouts, retry }: HTTPRouteRule): number | undefined {
  const request = parseDuration(timeouts?.request)
  const perTry = parseDuration(timeouts?.backendRequest)
  const tries = 1 + (retry?.attempts ?? 0)
  const shares = [request && Math.max(1, Math.floor(request / tries)), perTry].filter(
    (one) => one !== undefined && one > 0,
  )
  return shares.length === 0 ? undefined : Math.min(...(shares as number[]))
}

/** What HAProxy can repeat a request after (Configuration Manual, `retry-on`). */
const repeatable = new Set([401, 403, 404, 408, 425, 500, 501, 502, 503, 504])

function particulars(rule: RuleCommon & Pick<HTTPRouteRule, 'retry'>): Pick<Referring, 'retry' | 'persistence'> {
  const { retry, sessionPersistence: session } = rule
  const codes = [...new Set(retry?.codes ?? [])].filter((code) => repeatable.has(code)).sort((a, b) => a - b)
  const lifetime =
    session?.cookieConfig?.lifetimeType === 'Permanent' ? parseDuration(session.absoluteTimeout) : undefined
  return {
    ...(retry && { retry: { attempts: Math.min(10, retry.attempts ?? 1), codes } }),
    ...(session && {
      persistence: {
        kind: session.type === 'Header' ? 'header' : 'cookie',
        name: sessionName(session.sessionName),
        ...(lifetime && { maxAgeSeconds: Math.ceil(lifetime / 1000) }),
      },
    }),
  }
}

function sessionName(name = ''): string {
  return /^[\w-]{1,64}$/.test(name) ? name : 'plumb-session'
}

function httpMatches(rule: HTTPRouteRule): Match[] {
  const matches = rule.matches ?? []
  return (matches.length === 0 ? [{}] : matches).map(({ path, method, headers = [], queryParams = [] }) => ({
    path: parsePath(path?.type, path?.value),
    ...(method && { method }),
    headers: unique(headers, (name) => name.toLowerCase()),
    query: unique(queryParams, (name) => name),
  }))
}

function grpcMatches(rule: GRPCRouteRule): Match[] {
  const matches = rule.matches ?? []
  return (matches.length === 0 ? [{}] : matches).map(({ method, headers = [] }) => ({
    path: grpcPath(method),
    headers: unique(headers, (name) => name.toLowerCase()),
    query: [],
  }))
}

function parsePath(type = 'PathPrefix', value = '/'): PathPattern {
  if (type === 'Exact') return { kind: 'exact', value }
  if (type === 'RegularExpression') return { kind: 'regex', value }
  return { kind: 'prefix', value: value.replace(/\/+$/, '') }
}

/** A method is the path `/SERVICE/METHOD` (gRPC over HTTP/2). */
function grpcPath(method: { type?: string; service?: string; method?: string } = {}): PathPattern {
  const { type = 'Exact', service = '', method: name = '' } = method
  if (type === 'RegularExpression') return { kind: 'regex', value: `/${service || '[^/]+'}/${name || '[^/]+'}` }
  if (service && name) return { kind: 'exact', value: `/${service}/${name}` }
  if (service) return { kind: 'prefix', value: `/${service}` }
  return name ? { kind: 'regex', value: `/[^/]+/${escapeRegex(name)}` } : { kind: 'prefix', value: '' }
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

const none: readonly ValueMatch[] = []

/** Of entries with one name the first counts (HTTPRouteMatch). */
function unique(matches: readonly NamedMatch[], nameOf: (name: string) => string): readonly ValueMatch[] {
  if (matches.length === 0) return none
  const found = new Map<string, ValueMatch>()
  for (const { name, type, value } of matches) {
    const key = nameOf(name)
    if (!found.has(key)) found.set(key, { name: key, kind: type === 'RegularExpression' ? 'regex' : 'exact', value })
  }
  return [...found.values()]
}
