import { hostText } from './host.ts'
import { objectOf } from './ingress.ts'
import type { ServiceUrl } from './ingress-auth.ts'
import { compileBackend } from './ingress-backend.ts'
import type { Claim } from './ingress-claims.ts'
import { type ClientCheck, checkOfClaim } from './ingress-clients.ts'
import { compileReserve, withReserve } from './ingress-errors.ts'
import type { Mirror } from './ingress-mirror.ts'
import type { Referred } from './ingress-referred.ts'
import type { BackendModel, Filter, Finding, HttpAction, HttpRule, StreamRoute, WeightedTarget } from './model.ts'
import { perObjectGiven } from './remember.ts'
import type { Sources } from './sources.ts'

/** Services and their endpoints. */
export type Served = Pick<Sources, 'services' | 'slicesOf'>

/** What the claims that have a host come to, by entry; one list where both entries have the same. */
export function compileRules(
  claims: readonly Claim[],
  checks: ReadonlyMap<string, ClientCheck>,
  sources: Served,
  referred: Referred,
) {
  const findings: Finding[] = []
  const backends: BackendModel[] = []
  const compiled = claims.map((claim) => {
    const check = checkOfClaim(claim, checks, referred)
    const made = compileClaim(claim, check, nameOf(claim, check), sources)
    findings.push(...(check?.findings ?? []), ...made.findings)
    backends.push(...made.backends)
    return { claim, rule: made.rule }
  })
  const rulesOf = (entry: 'http' | 'https'): HttpRule[] =>
    compiled.filter(({ claim }) => claim.entries.includes(entry)).map(({ rule }) => rule)
  const http = rulesOf('http')
  const isSame = claims.every(({ entries }) => entries.length === 2)
  return { http, https: isSame ? http : rulesOf('https'), backends, findings }
}

/** Actions that do something need names of their own. */
function nameOf({ ingress, filters, settings, backends, number }: Claim, check: ClientCheck | undefined): string {
  const { timeoutMs, blocked, external, mirror, errors } = settings
  const targets = blocked === undefined ? backends.length : 1
  const isPlain = [check, external, mirror, errors, timeoutMs].every((one) => one === undefined)
  const object = objectOf(ingress)
  return filters.length === 0 && isPlain && targets === 1 ? object : `${object}/${number}`
}

interface CompiledClaim {
  readonly rule: HttpRule
  readonly backends: readonly BackendModel[]
  readonly findings: readonly Finding[]
}

/** A claim comes to the same as long as its Services are the same, and the endpoints of those that may have none. */
function compileClaim(claim: Claim, check: ClientCheck | undefined, id: string, sources: Served): CompiledClaim {
  const { services } = sources
  const { ingress, path, headers, filters, settings, because } = claim
  const { timeoutMs, particular, external } = settings
  const { mirror, errors } = claim.backends.length > 0 ? settings : {}
  const namespace = ingress.metadata.namespace ?? ''
  const keys = claim.backends.map(({ backend }) => `${namespace}/${backend.service?.name ?? ''}`)
  const reserved = errors === undefined ? [] : [`${namespace}/${errors.service}`]
  const named = [...keys, ...reserved].map((key) => services.get(key))
  const slices = errors === undefined ? [] : [...keys, ...reserved].map((key) => sources.slicesOf(key))
  const asked = [external?.at, mirror?.at].map((at) => at && services.get(`${at.namespace}/${at.name}`))
  return compiledClaims(claim, [id, check, ...asked, ...named, ...slices], () => {
    const backends: BackendModel[] = []
    const findings: Finding[] = []
    const spare = errors && compileReserve(errors, namespace, because.object, sources)
    const reserve = spare?.reserve
    if (spare?.finding !== undefined) findings.push(spare.finding)
    // It is there before it is needed.
    if (reserve !== undefined) backends.push(reserve.backend)
    const targetsOf = (): WeightedTarget[] =>
      claim.backends.map((one) => {
        const { weight, backend: reference, because } = one
        const { target, backend, finding } = compileBackend(reference, namespace, because, services, particular)
        if (finding !== undefined) findings.push(finding)
        if (backend !== undefined) backends.push(backend)
        const served: WeightedTarget = { weight, target, filters: [] }
        return errors && reserve ? withReserve(served, backend, one, errors, reserve, sources) : served
      })
    const reach = (annotation: string, { name, namespace: of, port }: ServiceUrl) => {
      const by = { object: because.object, field: `metadata.annotations[${annotation}]`, value: name }
      const found = compileBackend({ service: { name, port: { number: port } } }, of, by, services)
      if (found.finding !== undefined) findings.push(found.finding)
      if (found.backend !== undefined) backends.push(found.backend)
      return found
    }
    // Nobody passes while the Service is not there that is to be asked about it.
    const judge = external && reach('auth-url', external.at)
    const copied = mirror && reach('mirror-target', mirror.at)
    const blocked = settings.blocked ?? check?.blocked ?? judge?.finding?.says
    const more: Filter[] = [
      ...(check?.filter === undefined ? [] : [check.filter]),
      ...(external && judge?.backend ? [{ ...external.filter, backend: judge.backend.id }] : []),
      ...(mirror && copied?.backend ? [mirrorOf(mirror, copied.backend.id)] : []),
    ]
    const action: HttpAction = {
      id,
      filters: blocked === undefined ? afterFences(filters, more) : [],
      targets: blocked === undefined ? targetsOf() : [brokenTarget(claim, blocked)],
      ...(timeoutMs && { timeoutMs }),
    }
    return { rule: { path, headers, query: [], action, because }, backends, findings }
  })
}

function mirrorOf({ at: _, ...how }: Mirror, backend: string): Filter {
  return { kind: 'mirror', backend, numerator: 100, denominator: 100, ...how }
}

const compiledClaims = perObjectGiven<Claim, CompiledClaim>()

/** Puts some behind those that need nobody's word, and before those that change the request. */
function afterFences(filters: readonly Filter[], more: readonly Filter[]): readonly Filter[] {
  if (more.length === 0) return filters
  const isFence = ({ kind }: Filter): boolean => kind === 'sources' || kind === 'cors' || kind === 'basic-auth'
  return [...filters.filter(isFence), ...more, ...filters.filter((one) => !isFence(one))]
}

/** TLS that goes on to pods by the name that clients ask for. */
export function compilePassthrough(claims: readonly Claim[], services: Sources['services']) {
  const backends: BackendModel[] = []
  const findings: Finding[] = []
  const routes = claims.flatMap((claim): StreamRoute[] => {
    const { host, ingress, because, settings } = claim
    const { backend: reference } = claim.backends[0] ?? {}
    if (reference === undefined || settings.blocked !== undefined) return []
    const namespace = ingress.metadata.namespace ?? ''
    const { target, backend, finding } = compileBackend(reference, namespace, because, services, {
      protocol: 'tcp',
    })
    if (finding !== undefined) findings.push(finding)
    if (backend !== undefined) backends.push(backend)
    const action = { id: objectOf(ingress), targets: [{ weight: 1, target, filters: [] }] }
    return [{ host, listener: `passthrough/${hostText(host)}`, mode: 'passthrough', action, because }]
  })
  return { routes, backends, findings }
}

function brokenTarget({ because }: Claim, says: string): WeightedTarget {
  return { weight: 1, target: { kind: 'broken', because, says }, filters: [] }
}
