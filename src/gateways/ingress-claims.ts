import { type IngressSettings, readAnnotations } from './annotations.ts'
import { type HostPattern, hostText, parseHost } from './host.ts'
import { type Ingress, type IngressBackend, objectOf } from './ingress.ts'
import type { Referred } from './ingress-referred.ts'
import { regexFault } from './match.ts'
import type { Because, Filter, Finding, PathPattern, ValueMatch } from './model.ts'

export type Entry = 'http' | 'https'

/** Requests of hosts and paths, as one Ingress wants them served. */
export interface Claim {
  readonly ingress: Ingress
  readonly settings: IngressSettings
  readonly entries: readonly Entry[]
  readonly host: HostPattern
  readonly path: PathPattern
  readonly headers: readonly ValueMatch[]
  readonly filters: readonly Filter[]
  /** Empty when the filters answer. */
  readonly backends: readonly ClaimBackend[]
  /** Among those of its Ingress. */
  readonly number: string
  readonly because: Because
}

export interface ClaimBackend {
  readonly weight: number
  readonly backend: IngressBackend
  readonly because: Because
}

export const both: readonly Entry[] = ['http', 'https']

/** What an Ingress claims, whoever has it in the end. */
export interface Claims {
  /** Rules have what they claim before aliases, and those before default backends. */
  readonly stages: readonly (readonly Claim[])[]
  /** Shares in what others claim. */
  readonly canary: readonly Claim[]
  /** Hosts whose TLS goes on to pods as it comes. */
  readonly passthrough: readonly Claim[]
}

export interface ReadIngress extends Claims {
  readonly ingress: Ingress
  readonly settings: IngressSettings
  readonly findings: readonly Finding[]
}

/** What an Ingress says by itself, its annotations read. */
export function readIngress(ingress: Ingress, referred: Referred): ReadIngress {
  const { settings, findings: told } = readAnnotations(ingress, referred)
  const findings = [...told]
  const one = { ingress, settings }
  if (settings.canary !== undefined)
    return { ...one, findings, stages: [], canary: ruleClaims(one, findings), passthrough: [] }
  let count = 0
  const numbered = (claim: Claim): Claim => ({ ...claim, number: String(count++) })
  const stages = [ruleClaims(one, findings), moreClaims(one), defaultClaims(one)]
  const isAll = ({ path }: Claim): boolean => path.kind === 'prefix' && path.value === ''
  const passthrough = settings.isPassthrough ? stages[0]!.filter(isAll) : []
  return {
    ...one,
    findings,
    stages: stages.map((claims) => claims.flatMap(secured).map(numbered)),
    canary: [],
    passthrough,
  }
}

type Read = Pick<Claim, 'ingress' | 'settings'>

function ruleClaims({ ingress, settings }: Read, findings: Finding[]): Claim[] {
  const object = objectOf(ingress)
  const hosts = new Map<string, HostPattern>()
  const claims = (ingress.spec?.rules ?? []).flatMap((rule, at) =>
    (rule.http?.paths ?? []).flatMap(({ path = '', pathType, backend }, index): Claim[] => {
      const field = `spec.rules[${at}].http.paths[${index}]`
      const pattern = patternOf(path, pathType, settings.isRegex)
      const fault = faultOf(path, pattern)
      if (fault !== undefined) {
        findings.push({ code: 'PathNeverMatches', object, field: `${field}.path`, ...fault })
        return []
      }
      const because = { object, field: `${field}.backend`, value: path }
      const host = parseHost(rule.host, 'wildcard')
      hosts.set(hostText(host), host)
      return [claimOf({ ingress, settings }, host, pattern, path, backend, because)]
    }),
  )
  const { appRoot } = settings
  if (appRoot === undefined) return claims
  const because = { object, field: 'metadata.annotations', value: appRoot }
  const filter: Filter = { kind: 'redirect', status: 302, path: { kind: 'full', path: appRoot } }
  const path: PathPattern = { kind: 'exact', value: '/' }
  const roots = [...hosts.values()].map((host) => answeredClaim({ ingress, settings }, host, path, filter, because))
  return [...roots, ...claims.filter(({ path }) => path.kind !== 'exact' || path.value !== '/')]
}

/** The other hosts that annotations give to an Ingress. */
function moreClaims({ ingress, settings }: Read): Claim[] {
  const { aliases, isWwwRedirected } = settings
  const object = objectOf(ingress)
  const rules = ingress.spec?.rules ?? []
  const aliased = aliases.flatMap((alias) => {
    const spec = { ...ingress.spec, rules: rules.map((rule) => ({ ...rule, host: alias })) }
    return ruleClaims({ ingress: { ...ingress, spec }, settings }, []).map((claim) => ({ ...claim, ingress }))
  })
  if (!isWwwRedirected) return aliased
  const names = [...new Set(rules.flatMap(({ host }) => (host === undefined || host.includes('*') ? [] : [host])))]
  const www = names.map((name) => {
    const other = name.startsWith('www.') ? name.slice(4) : `www.${name}`
    const because = { object, field: 'metadata.annotations', value: 'from-to-www-redirect' }
    const filter: Filter = { kind: 'redirect', status: 308, host: name }
    return answeredClaim({ ingress, settings }, parseHost(other, 'wildcard'), everyPath, filter, because)
  })
  return [...aliased, ...www]
}

const everyPath: PathPattern = { kind: 'prefix', value: '' }

/** A default backend serves what no rule takes: of the Ingress's own hosts, and of all hosts. */
function defaultClaims({ ingress, settings }: Read): Claim[] {
  const backend = ingress.spec?.defaultBackend
  if (backend === undefined) return []
  const because = { object: objectOf(ingress), field: 'spec.defaultBackend', value: backend.service?.name ?? '' }
  const named = (ingress.spec?.rules ?? []).map(({ host }) => parseHost(host, 'wildcard'))
  const hosts: HostPattern[] = [...named, { kind: 'any' }]
  const unique = new Map(hosts.map((host) => [hostText(host), host]))
  return [...unique.values()].map((host) => claimOf({ ingress, settings }, host, everyPath, '/', backend, because))
}

function claimOf(
  one: Read,
  host: HostPattern,
  path: PathPattern,
  text: string,
  backend: IngressBackend,
  because: Because,
): Claim {
  const { filters, redirect, rewrite } = one.settings
  if (redirect !== undefined) return answeredClaim(one, host, path, redirect, because)
  const change =
    path.kind === 'regex'
      ? { kind: 'regex' as const, pattern: `^(?:${text}).*$`, path: (rewrite ?? '').replace(/\$(\d)/g, '\\$1') }
      : { kind: 'full' as const, path: rewrite ?? '' }
  const rewriting: Filter[] = rewrite === undefined ? [] : [{ kind: 'rewrite', path: change }]
  const backends = [{ weight: 1, backend, because }]
  return {
    ...one,
    entries: both,
    host,
    path,
    headers: [],
    filters: [...filters, ...rewriting],
    backends,
    number: '',
    because,
  }
}

/** What is answered without a pod; who may not come in is not answered so either. */
function answeredClaim(one: Read, host: HostPattern, path: PathPattern, filter: Filter, because: Because): Claim {
  const fences = one.settings.filters.filter(({ kind }) => kind === 'sources')
  return {
    ...one,
    entries: both,
    host,
    path,
    headers: [],
    filters: [...fences, filter],
    backends: [],
    number: '',
    because,
  }
}

/** Where HTTPS is asked for, HTTP is only redirected to it; and where it is passed on, nobody looks at its requests. */
function secured(claim: Claim): Claim[] {
  const { ingress, settings, host } = claim
  const { secure } = settings
  const tls = ingress.spec?.tls ?? []
  const hasTls = tls.some(({ hosts = [] }) => hosts.length === 0 || hosts.some((one) => one === hostText(host)))
  if (!settings.isPassthrough && (secure === 'none' || (secure === 'with-tls' && !hasTls))) return [claim]
  const filter: Filter = { kind: 'redirect', status: 308, scheme: 'https' }
  const redirect = answeredClaim({ ingress, settings }, host, claim.path, filter, claim.because)
  const redirected: Claim = { ...redirect, entries: ['http'] }
  return settings.isPassthrough ? [redirected] : [redirected, { ...claim, entries: ['https'] }]
}

/** `/foo/` is the same prefix as `/foo`; what the implementation may decide is a prefix here. */
function patternOf(path: string, pathType: string | undefined, isRegex: boolean): PathPattern {
  if (pathType === 'Exact') return { kind: 'exact', value: path || '/' }
  return isRegex ? { kind: 'regex', value: `(?:${path}).*` } : { kind: 'prefix', value: path.replace(/\/+$/, '') }
}

function faultOf(path: string, pattern: PathPattern): { says: string; try: string } | undefined {
  if (pattern.kind !== 'regex') {
    if (!/[\s#?]/.test(path)) return undefined
    const says = `"${path}" has a character that no request's path has`
    return { says, try: 'write it percent-encoded, and leave the query out' }
  }
  const fault = regexFault(pattern.value)
  if (fault === undefined) return undefined
  const says = `the regular expression ${JSON.stringify(path.slice(0, 80))} cannot be used: ${fault}`
  return { says, try: 'write one that RE2, PCRE and ECMAScript all understand' }
}
