import { keyOf } from '../cluster/index.ts'
import { type HostPattern, hostText, parseHost } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import { compileBackend } from './ingress-backend.ts'
import { compare, ownershipOf } from './ingress-class.ts'
import { compileTls } from './ingress-tls.ts'
import type {
  BackendModel,
  Because,
  Entrance,
  Finding,
  GatewayModel,
  HttpAction,
  HttpRule,
  PathPattern,
  Target,
} from './model.ts'
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
  const { rules, backends } = compileClaims(ours, sources, findings)
  const tls = compileTls(ours, sources.secrets)
  return {
    wanted: ours.length > 0,
    entrances: ours.length > 0 ? entrancesOf(rules, tls.listeners, ports) : [],
    backends,
    certificates: tls.certificates,
    authorities: [],
    findings: [...findings, ...tls.findings],
  }
}

function entrancesOf(
  claims: readonly TierClaim[],
  listeners: Entrance['listeners'],
  ports: { http: number; https: number },
): Entrance[] {
  const because = { object: 'ingress', field: 'spec', value: '' }
  const star = 'wildcard'
  // Hosts are told apart by their certificates, but routes are for all of them.
  const tiers = compileTiers([{ id: '', host: { kind: 'any' } }], claims)
  const anyHost: Entrance['listeners'] = [{ id: '', host: { kind: 'any' }, mode: 'http', certificates: [], because }]
  return [
    {
      id: 'http',
      port: ports.http,
      shownPort: ports.http,
      protocol: 'HTTP',
      star,
      listeners: anyHost,
      tiers,
      streams: [],
      because,
    },
    {
      id: 'https',
      port: ports.https,
      shownPort: ports.https,
      protocol: 'TLS',
      star,
      listeners,
      tiers,
      streams: [],
      because,
    },
  ]
}

function compileClaims(ours: readonly Ingress[], sources: Sources, findings: Finding[]) {
  const rules = new Map<string, { host: HostPattern; rule: HttpRule }>()
  const backends = new Map<string, BackendModel>()
  for (const claims of [ruleClaims, defaultClaims]) {
    for (const claim of ours.flatMap((ingress) => claims(ingress, findings))) {
      const { host, path, ingress, because } = claim
      const id = `${hostText(host)} ${path.kind} ${path.value}`
      const namespace = ingress.metadata.namespace ?? ''
      const { target, backend, finding } = compileBackend(claim.backend, namespace, because, sources.services)
      const isTold = findings.some(
        (one) => one.code === finding?.code && one.object === finding.object && one.field === finding.field,
      )
      if (finding !== undefined && !isTold) findings.push(finding)
      const taken = rules.get(id)
      if (taken !== undefined) {
        // A default backend steps back for a rule without a word: that is what it is for.
        if (claims === ruleClaims)
          findings.push(takenBy(taken.rule.because, because, `${hostText(host)}${path.value || '/'}`))
        continue
      }
      rules.set(id, { host, rule: { path, headers: [], query: [], action: actionOf(ingress, target), because } })
      if (backend !== undefined && !backends.has(backend.id)) backends.set(backend.id, backend)
    }
  }
  const byHost = Map.groupBy(rules.values(), ({ host }) => hostText(host))
  return {
    backends: [...backends.values()],
    rules: [...byHost.values()].map(
      (own): TierClaim => ({
        listener: '',
        host: own[0]!.host,
        created: '',
        object: '',
        rules: own.map(({ rule }) => rule),
      }),
    ),
  }
}

function actionOf(ingress: Ingress, target: Target): HttpAction {
  return { id: objectOf(ingress), filters: [], targets: [{ weight: 1, target, filters: [] }] }
}

interface Claim {
  readonly ingress: Ingress
  readonly host: HostPattern
  readonly path: PathPattern
  readonly backend: NonNullable<NonNullable<Ingress['spec']>['defaultBackend']>
  readonly because: Because
}

function ruleClaims(ingress: Ingress, findings: Finding[]): Claim[] {
  const object = objectOf(ingress)
  return (ingress.spec?.rules ?? []).flatMap((rule, at) =>
    (rule.http?.paths ?? []).flatMap(({ path = '', pathType, backend }, index): Claim[] => {
      const field = `spec.rules[${at}].http.paths[${index}]`
      if (/[\s#?]/.test(path)) {
        findings.push({
          code: 'PathNeverMatches',
          object,
          field: `${field}.path`,
          says: `"${path}" has a character that no request's path has`,
          try: 'write it percent-encoded, and leave the query out',
        })
        return []
      }
      const pattern = pathType === 'Exact' ? exactPath(path) : prefixPath(path)
      const because = { object, field: `${field}.backend`, value: path }
      return [{ ingress, host: parseHost(rule.host, 'wildcard'), path: pattern, backend, because }]
    }),
  )
}

/** A default backend serves what no rule takes: of the Ingress's own hosts, and of all hosts. */
function defaultClaims(ingress: Ingress): Claim[] {
  const backend = ingress.spec?.defaultBackend
  if (backend === undefined) return []
  const because = { object: objectOf(ingress), field: 'spec.defaultBackend', value: backend.service?.name ?? '' }
  const named = (ingress.spec?.rules ?? []).map(({ host }) => parseHost(host, 'wildcard'))
  const hosts: HostPattern[] = [...named, { kind: 'any' }]
  const unique = new Map(hosts.map((host) => [hostText(host), host]))
  return [...unique.values()].map((host) => ({ ingress, host, path: prefixPath('/'), backend, because }))
}

function exactPath(value: string): PathPattern {
  return { kind: 'exact', value: value || '/' }
}

/** `/foo/` is the same prefix as `/foo`; what the implementation may decide is a prefix here. */
function prefixPath(path: string): PathPattern {
  return { kind: 'prefix', value: path.replace(/\/+$/, '') }
}

function oldestFirst(a: Ingress, b: Ingress): number {
  return compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b))
}

function takenBy(taken: Because, because: Because, what: string): Finding {
  return {
    code: 'RouteTaken',
    object: because.object,
    field: because.field,
    says: `${what} is served by ${taken.object} (${taken.field}) already`,
    try: 'give one of the two another host or path',
  }
}
