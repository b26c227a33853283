import { keyOf } from '../cluster/index.ts'
import { compileBackend } from './backend.ts'
import { compileTls } from './certificate.ts'
import { type Ingress, objectOf } from './ingress.ts'
import { compare, ownershipOf } from './ingress-class.ts'
import {
  type BackendModel,
  type Because,
  type Finding,
  type GatewayModel,
  type HostPattern,
  hostText,
  type PathPattern,
  parseHost,
  type Route,
} from './model.ts'
import type { Sources } from './sources.ts'

/**
 * What all Ingresses of our classes mean together. Total: whatever is wrong with one becomes a finding and the rest is served.
 * Of two that claim one host and path the older has it, then the first by namespace and name; rules come before default backends.
 */
export function compileGateways(sources: Sources): GatewayModel {
  const classes = [...sources.ingressClasses]
  const findings: Finding[] = []
  const ours = [...sources.ingresses].sort(oldestFirst).filter((ingress) => {
    const ownership = ownershipOf(ingress, objectOf(ingress), classes)
    if (ownership.kind === 'unknown-class') findings.push(ownership.finding)
    return ownership.kind === 'ours'
  })
  const routes = new Map<string, Route>()
  const backends = new Map<string, BackendModel>()
  for (const claims of [ruleClaims, defaultClaims]) {
    for (const claim of ours.flatMap((ingress) => claims(ingress, findings))) {
      const { host, path, ingress, because } = claim
      const id = `${hostText(host)} ${path.kind} ${path.value}`
      const { target, backend, finding } = compileBackend(
        claim.backend,
        ingress.metadata.namespace ?? '',
        because,
        sources.services,
      )
      if (
        finding !== undefined &&
        !findings.some(
          (one) => one.code === finding.code && one.object === finding.object && one.field === finding.field,
        )
      )
        findings.push(finding)
      const taken = routes.get(id)
      if (taken !== undefined) {
        // A default backend steps back for a rule without a word: that is what it is for.
        if (claims === ruleClaims) findings.push(takenBy(taken, because, `${hostText(host)}${path.value || '/'}`))
        continue
      }
      routes.set(id, { host, path, target, because })
      if (backend !== undefined && !backends.has(backend.id)) backends.set(backend.id, backend)
    }
  }
  const tls = compileTls(ours, sources.secrets)
  return {
    wanted: ours.length > 0,
    routes: [...routes.values()],
    backends: [...backends.values()],
    ...tls,
    findings: [...findings, ...tls.findings],
  }
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
      return [
        {
          ingress,
          host: parseHost(rule.host),
          path: pattern,
          backend,
          because: { object, field: `${field}.backend`, value: path },
        },
      ]
    }),
  )
}

/** A default backend serves what no rule takes: of the Ingress's own hosts, and of all hosts. */
function defaultClaims(ingress: Ingress): Claim[] {
  const backend = ingress.spec?.defaultBackend
  if (backend === undefined) return []
  const because = { object: objectOf(ingress), field: 'spec.defaultBackend', value: backend.service?.name ?? '' }
  const hosts = [...(ingress.spec?.rules ?? []).map(({ host }) => parseHost(host)), { kind: 'any' } as const]
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

function takenBy(taken: Route, because: Because, what: string): Finding {
  return {
    code: 'RouteTaken',
    object: because.object,
    field: because.field,
    says: `${what} is served by ${taken.because.object} (${taken.because.field}) already`,
    try: 'give one of the two another host or path',
  }
}
