import { keyOf } from '../cluster/index.ts'
import { hostText } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import type { ServiceUrl } from './ingress-auth.ts'
import { compileBackend } from './ingress-backend.ts'
import { type Claim, compileClaims } from './ingress-claims.ts'
import { compare, controllerName, ownershipOf } from './ingress-class.ts'
import { askClients, type ClientCheck, checkOfClaim, compileChecks } from './ingress-clients.ts'
import { compileTls } from './ingress-tls.ts'
import type {
  BackendModel,
  Entrance,
  Filter,
  Finding,
  GatewayModel,
  HttpAction,
  HttpRule,
  StreamRoute,
  WeightedTarget,
} from './model.ts'
import { readTrustedProxies } from './proxy-protocol.ts'
import { perObjectGiven } from './remember.ts'
import type { Sources } from './sources.ts'
import { compileTiers, type Claim as TierClaim } from './tiers.ts'

/**
 * What all Ingresses of our classes mean together. Of two that claim one host and path the older has it, then the first by
 * namespace and name; rules come before default backends.
 */
export function compileIngresses(sources: Sources, ports: { http: number; https: number }): GatewayModel {
  const classes = [...sources.ingressClasses]
  const findings: Finding[] = []
  const ours = [...sources.ingresses].sort(oldestFirst).filter((ingress) => {
    const ownership = ownershipOf(ingress, objectOf(ingress), classes)
    if (ownership.kind === 'unknown-class') findings.push(ownership.finding)
    return ownership.kind === 'ours'
  })
  const { claims, passthrough, findings: told } = compileClaims(ours, { ...sources, grants: sources.gatewayApi.grants })
  findings.push(...told)
  const checks = compileChecks(claims, { ...sources, grants: sources.gatewayApi.grants })
  const { rules, backends } = compileRules(claims, checks, sources, findings)
  const tls = compileTls(ours, sources.secrets)
  const trusted = classes
    .filter(({ spec }) => spec?.controller === controllerName)
    .map(({ metadata }) => readTrustedProxies(metadata.annotations, `ingressclass/${metadata.name}`))
  findings.push(...trusted.flatMap((one) => one.findings))
  const trustedProxies = trusted.flatMap(({ prefixes }) => prefixes)
  const streams = compilePassthrough(passthrough, sources, findings)
  return {
    wanted: ours.length > 0,
    entrances:
      ours.length > 0
        ? entrancesOf(rules, tls.listeners, checks, streams.routes, ports).map((one) => ({ ...one, trustedProxies }))
        : [],
    backends: [...backends, ...streams.backends],
    certificates: tls.certificates,
    authorities: [
      ...new Map(
        [...checks.values()].flatMap(({ authority }) => (authority ? [[authority.id, authority]] : [])),
      ).values(),
    ],
    userLists: [
      ...new Map(claims.flatMap(({ settings: { userList } }) => (userList ? [[userList.id, userList]] : []))).values(),
    ],
    findings: [...findings, ...tls.findings],
  }
}

type Rules = Readonly<Record<'http' | 'https', readonly TierClaim[]>>

function entrancesOf(
  rules: Rules,
  tls: Entrance['listeners'],
  checks: ReadonlyMap<string, ClientCheck>,
  streams: readonly StreamRoute[],
  ports: { http: number; https: number },
): Entrance[] {
  const because = { object: 'ingress', field: 'spec', value: '' }
  const anyHost: Entrance['listeners'] = [{ id: '', host: { kind: 'any' }, mode: 'http', certificates: [], because }]
  // Hosts are told apart by their certificates, but routes are for all of them.
  const tiersOf = (own: readonly TierClaim[]) => compileTiers([{ id: '', host: { kind: 'any' } }], own)
  const http = tiersOf(rules.http)
  const tiers = { http, https: rules.https === rules.http ? http : tiersOf(rules.https) }
  const entrance = (id: 'http' | 'https', listeners: Entrance['listeners']): Entrance => ({
    id,
    port: ports[id],
    shownPort: ports[id],
    protocol: id === 'http' ? 'HTTP' : 'TLS',
    star: 'wildcard',
    listeners,
    tiers: tiers[id],
    streams: id === 'http' ? [] : streams,
    because,
  })
  const passed = streams.map(({ host, listener, because: by }): Entrance['listeners'][number] => {
    return { id: listener, host, mode: 'passthrough', certificates: [], because: by }
  })
  const names = new Set(streams.map(({ host }) => hostText(host)))
  const ended = tls.filter(({ host }) => !names.has(hostText(host)))
  return [entrance('http', anyHost), entrance('https', askClients([...ended, ...passed], checks))]
}

function compileRules(
  claims: readonly Claim[],
  checks: ReadonlyMap<string, ClientCheck>,
  sources: Sources,
  findings: Finding[],
) {
  const referred = { ...sources, grants: sources.gatewayApi.grants }
  const backends = new Map<string, BackendModel>()
  const numbers = new Map<string, number>()
  const compiled = claims.map((claim) => {
    const check = checkOfClaim(claim, checks, referred)
    const made = compileClaim(claim, check, nameOf(claim, check), sources.services)
    for (const finding of check === undefined ? made.findings : [...check.findings, ...made.findings]) {
      const isTold = findings.some(
        (one) => one.code === finding.code && one.object === finding.object && one.field === finding.field,
      )
      if (!isTold) findings.push(finding)
    }
    for (const backend of made.backends) if (!backends.has(backend.id)) backends.set(backend.id, backend)
    return { claim, rule: made.rule }
  })

  /** Actions that do something need names of their own. */
  function nameOf({ ingress, filters, settings, backends: wanted }: Claim, check: ClientCheck | undefined): string {
    const object = objectOf(ingress)
    const { timeoutMs, blocked } = settings
    const targets = blocked === undefined ? wanted.length : 1
    const { external, mirror } = settings
    if (
      filters.length === 0 &&
      check === undefined &&
      external === undefined &&
      mirror === undefined &&
      timeoutMs === undefined &&
      targets === 1
    )
      return object
    const number = (numbers.get(object) ?? -1) + 1
    numbers.set(object, number)
    return `${object}/${number}`
  }

  const tiers = (entry: 'http' | 'https'): TierClaim[] => {
    const own = compiled.filter(({ claim }) => claim.entries.includes(entry))
    const byHost = Map.groupBy(own, ({ claim }) => hostText(claim.host))
    return [...byHost.values()].map((those): TierClaim => {
      const { host } = those[0]!.claim
      return { listener: '', host, created: '', object: '', rules: those.map(({ rule }) => rule) }
    })
  }
  const http = tiers('http')
  const isSame = claims.every(({ entries }) => entries.length === 2)
  return { backends: [...backends.values()], rules: { http, https: isSame ? http : tiers('https') } }
}

interface CompiledClaim {
  readonly rule: HttpRule
  readonly backends: readonly BackendModel[]
  readonly findings: readonly Finding[]
}

/** A claim comes to the same as long as its Services are the same. */
function compileClaim(
  claim: Claim,
  check: ClientCheck | undefined,
  id: string,
  services: Sources['services'],
): CompiledClaim {
  const { ingress, path, headers, filters, settings, because } = claim
  const { timeoutMs, particular, external } = settings
  const mirror = claim.backends.length > 0 ? settings.mirror : undefined
  const namespace = ingress.metadata.namespace ?? ''
  const named = claim.backends.map(({ backend }) => services.get(`${namespace}/${backend.service?.name ?? ''}`))
  const asked = [external?.at, mirror].map((at) => at && services.get(`${at.namespace}/${at.name}`))
  return compiledClaims(claim, [id, check, ...asked, ...named], () => {
    const backends: BackendModel[] = []
    const findings: Finding[] = []
    const targetsOf = (): WeightedTarget[] =>
      claim.backends.map(({ weight, backend: reference, because }) => {
        const { target, backend, finding } = compileBackend(reference, namespace, because, services, particular)
        if (finding !== undefined) findings.push(finding)
        if (backend !== undefined) backends.push(backend)
        return { weight, target, filters: [] }
      })
    const reach = (annotation: string, { name, namespace: of, port }: ServiceUrl) => {
      const field = `metadata.annotations[${annotation}]`
      const found = compileBackend({ service: { name, port: { number: port } } }, of, { ...because, field }, services)
      if (found.finding !== undefined) findings.push(found.finding)
      if (found.backend !== undefined) backends.push(found.backend)
      return found
    }
    // Nobody passes while the Service is not there that is to be asked about it.
    const judge = external && reach('auth-url', external.at)
    const copied = mirror && reach('mirror-target', mirror)
    const blocked = settings.blocked ?? check?.blocked ?? judge?.finding?.says
    const more: Filter[] = [
      ...(check?.filter === undefined ? [] : [check.filter]),
      ...(external && judge?.backend ? [{ ...external.filter, backend: judge.backend.id }] : []),
      ...(copied?.backend
        ? [{ kind: 'mirror', backend: copied.backend.id, numerator: 100, denominator: 100 } as const]
        : []),
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

const compiledClaims = perObjectGiven<Claim, CompiledClaim>()

/** Puts some behind those that need nobody's word, and before those that change the request. */
function afterFences(filters: readonly Filter[], more: readonly Filter[]): readonly Filter[] {
  if (more.length === 0) return filters
  const isFence = ({ kind }: Filter): boolean => kind === 'sources' || kind === 'cors' || kind === 'basic-auth'
  return [...filters.filter(isFence), ...more, ...filters.filter((one) => !isFence(one))]
}

/** TLS that goes on to pods by the name that clients ask for. */
function compilePassthrough(claims: readonly Claim[], sources: Sources, findings: Finding[]) {
  const backends: BackendModel[] = []
  const routes = claims.flatMap((claim): StreamRoute[] => {
    const { host, ingress, because, settings } = claim
    const { backend: reference } = claim.backends[0] ?? {}
    if (reference === undefined || settings.blocked !== undefined) return []
    const namespace = ingress.metadata.namespace ?? ''
    const { target, backend, finding } = compileBackend(reference, namespace, because, sources.services, {
      protocol: 'tcp',
    })
    if (finding !== undefined) findings.push(finding)
    if (backend !== undefined) backends.push(backend)
    const action = { id: objectOf(ingress), targets: [{ weight: 1, target, filters: [] }] }
    return [{ host, listener: `passthrough/${hostText(host)}`, mode: 'passthrough', action, because }]
  })
  return { routes, backends: [...new Map(backends.map((one) => [one.id, one])).values()] }
}

function brokenTarget({ because }: Claim, says: string): WeightedTarget {
  return { weight: 1, target: { kind: 'broken', because, says }, filters: [] }
}

function oldestFirst(a: Ingress, b: Ingress): number {
  return compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b))
}
