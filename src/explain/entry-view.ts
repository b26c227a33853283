import { X509Certificate } from 'node:crypto'
import type { Because, Finding, Snapshot } from '../cluster/index.ts'
import { compileServers, type GatewayModel } from '../gateways/index.ts'
import type { Condition } from '../objects/index.ts'
import { blameNoEndpoints } from './blame.ts'

type Backend = GatewayModel['backends'][number]
type Rule = GatewayModel['entrances'][number]['tiers'][number]['rules'][number]
type WeightedTarget = Rule['action']['targets'][number]

/** An Ingress or a Gateway on one screen; `schema` changes when a field changes its meaning. */
export interface EntryView {
  readonly schema: 'plumb.network/show/v1'
  readonly object: string
  readonly className: string | undefined
  readonly health: EntryHealth
  /** `holder`: which node holds it, as far as nodes could be asked. */
  readonly addresses: readonly { readonly address: string; readonly holder?: string }[]
  readonly listeners: readonly ListenerView[]
  readonly routes: readonly RouteView[]
  readonly conditions: readonly Condition[]
  readonly findings: readonly Finding[]
}

/** `ignored`: another controller's work. */
export interface EntryHealth {
  readonly kind: 'serves' | 'partly' | 'refuses' | 'ignored'
  readonly says: string
}

export interface ListenerView {
  /** `https: 443/HTTPS` */
  readonly name: string
  readonly hosts: readonly string[]
  readonly certificates: readonly CertificateView[]
  /** Why it is not served, or not as it should be. */
  readonly problem: string | undefined
}

/** Of a certificate what everybody may see. */
export interface CertificateView {
  readonly secret: string
  readonly names: readonly string[]
  /** RFC 3339 */
  readonly expires: string
}

export interface RouteView {
  readonly object: string
  readonly problem: string | undefined
  readonly hosts: readonly string[]
  readonly rules: readonly RuleView[]
}

export interface RuleView {
  readonly because: Because
  readonly hosts: readonly string[]
  /** `prefix /cart`, with whatever else a request must have. */
  readonly matches: string
  /** Empty where the gateway answers itself. */
  readonly backends: readonly BackendView[]
}

export interface BackendView {
  readonly backend: string
  readonly weight: number
  /** `10.244.1.3:8080 shop/web-a`, those that take new requests. */
  readonly endpoints: readonly string[]
  /** Why it has none. */
  readonly problem: string | undefined
}

/** What a rule takes, in words. */
export function matchText({ path, method, headers, query }: Rule): string {
  return [
    `${path.kind} ${path.value || '/'}`,
    ...(method === undefined ? [] : [method]),
    ...headers.map(({ name, value }) => `header ${name}: ${value}`),
    ...query.map(({ name, value }) => `?${name}=${value}`),
  ].join(', ')
}

/** Where requests of a target go, or why nowhere. */
export function backendView(
  snapshot: Snapshot,
  { target, weight }: WeightedTarget,
  backends: ReadonlyMap<string, Backend>,
): BackendView {
  if (target.kind === 'broken') return { backend: target.because.field, weight, endpoints: [], problem: target.says }
  const backend = backends.get(target.id)
  if (backend === undefined) return { backend: target.id, weight, endpoints: [], problem: 'it is not known' }
  const port = Number(target.id.split(':')[2])
  const endpoints = compileServers(backend, snapshot).map(({ address, port: own }) => {
    const pod = snapshot.findPod(address)
    const shown = address.includes(':') ? `[${address}]` : address
    return `${shown}:${own}${pod === undefined ? '' : ` ${pod.metadata.namespace}/${pod.metadata.name}`}`
  })
  const service = snapshot.services.get(backend.service)
  const blame = endpoints.length > 0 || service === undefined ? undefined : blameNoEndpoints(snapshot, service, port)
  return {
    backend: `service/${backend.service}:${port}`,
    weight,
    endpoints,
    problem:
      endpoints.length > 0
        ? undefined
        : `no ready endpoint, so clients get 503${blame === undefined ? '' : `: ${blame.says} (${blame.because.object} ${blame.because.field})`}`,
  }
}

/** The leaf of a chain in PEM, which has been read before. */
export function certificateView({ id, pem, names }: GatewayModel['certificates'][number]): CertificateView {
  const expires = new X509Certificate(pem).validToDate.toISOString()
  return { secret: `secret/${id.replace(':', '/')}`, names, expires }
}

/** Of routes that have rules: whether requests reach pods. */
export function healthOf(routes: readonly RouteView[], problems: readonly string[]): EntryHealth {
  const rules = routes.flatMap((route) => route.rules)
  const backends = rules.flatMap((rule) => rule.backends)
  const bad = [
    ...routes.flatMap(({ object, problem }) => (problem === undefined ? [] : [`${object}: ${problem}`])),
    ...backends.flatMap(({ backend, problem }) => (problem === undefined ? [] : [`${backend}: ${problem}`])),
    ...problems,
  ]
  const [first] = bad
  if (rules.length === 0) return { kind: 'refuses', says: first ?? 'no rule leads anywhere' }
  const pods = new Set(backends.flatMap(({ endpoints }) => endpoints)).size
  if (first !== undefined) {
    const kind = backends.length > 0 && backends.every(({ problem }) => problem !== undefined) ? 'refuses' : 'partly'
    return { kind, says: first }
  }
  return { kind: 'serves', says: `${count(rules.length, 'rule')} to ${count(pods, 'endpoint')}` }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
