import { keyOf, type ObjectKey } from '../cluster/index.ts'
import { type Attachment, attach } from './attach.ts'
import { Backends, type Reached, type Referring } from './backend-reference.ts'
import { compilePolicies, type Policies } from './backend-tls.ts'
import { entrancesOf } from './entrances.ts'
import type { AnyRoute, Gateway, GatewayClass } from './gateway-api.ts'
import { gatewayGroup } from './gateway-api.ts'
import { compileGrpcRoute, compileHttpRoute } from './http-route.ts'
import { resolveCertificate } from './listener-tls.ts'
import { compileListeners, type GatewayState } from './listeners.ts'
import type { Authority, BackendModel, Certificate, Entrance, Finding, HttpRule, WeightedTarget } from './model.ts'
import { perObject } from './remember.ts'
import type { Sources } from './sources.ts'
import { compileStreamRoute } from './stream-route.ts'
import { type Verdict, verdict } from './verdict.ts'

/** `spec.controllerName` of the GatewayClasses that are Plumb's to serve. */
export const gatewayControllerName = 'plumb.network/gateway-controller'

/** A route with all that it comes to: at each parent of ours what it is told, and the rules that are served there. */
export interface RouteState {
  readonly route: AnyRoute
  readonly kind: Referring['kind']
  readonly parents: readonly RouteAtParent[]
}

export interface RouteAtParent extends Attachment {
  readonly resolved: Verdict
  readonly rules: readonly HttpRule[]
  /** Of a stream, where it goes. */
  readonly targets: readonly WeightedTarget[]
}

/** Everything that the Gateway API says, for serving it and for its status alike. */
export interface GatewayApiState {
  readonly classes: readonly GatewayClass[]
  readonly gateways: readonly GatewayState[]
  /** What `ResolvedRefs` of a Gateway says, where it names something itself. */
  readonly clientCertificates: ReadonlyMap<ObjectKey, Certificate | Verdict>
  readonly routes: readonly RouteState[]
  readonly policies: Policies
  readonly entrances: readonly Entrance[]
  readonly backends: ReadonlyMap<string, BackendModel>
  readonly certificates: ReadonlyMap<string, Certificate>
  readonly authorities: ReadonlyMap<string, Authority>
  readonly findings: readonly Finding[]
}

export function compileGatewayApi(sources: Sources): GatewayApiState {
  const api = sources.gatewayApi
  const classes = [...api.classes].filter(({ spec }) => spec?.controllerName === gatewayControllerName)
  const names = new Set(classes.map(({ metadata }) => metadata.name))
  const sets = [...api.listenerSets]
  const gateways = [...api.gateways]
    .filter(({ spec }) => names.has(spec?.gatewayClassName ?? ''))
    .map((gateway) => compileListeners(gateway, sets, sources))
  const clientCertificates = new Map(
    gateways.flatMap(({ gateway }): [ObjectKey, Certificate | Verdict][] => {
      const found = clientCertificateOf(gateway, sources)
      return found === undefined ? [] : [[keyOf(gateway), found]]
    }),
  )
  const policies = compilePolicies(sources)
  const backends = new Backends(sources, policies)
  const compileAll = <Route extends AnyRoute>(
    kind: Referring['kind'],
    routes: Iterable<Route>,
    compile: (route: Route, own: Backends, from: Referring) => Compiled,
  ): RouteState[] =>
    [...routes].flatMap((route) => {
      const parents = attach(route, kind, gateways, sources).map((at): RouteAtParent => {
        const gateway = keyOf(at.gateway.gateway)
        const shown = clientCertificates.get(gateway)
        const namespace = route.metadata.namespace ?? ''
        const from = { kind, namespace, gateway, ...(shown && 'pem' in shown && { clientCertificate: shown }) }
        const { refused, unserved, rules = [], targets = [] } = compileOnce(route, from, backends, compile)
        const accepted = at.accepted.ok && unserved !== undefined ? unserved : at.accepted
        return {
          ...at,
          accepted,
          rules,
          targets,
          resolved: refused ?? verdict(true, 'ResolvedRefs', 'all references are resolved'),
        }
      })
      return parents.length === 0 ? [] : [{ route, kind, parents }]
    })
  const routes = [
    ...compileAll('HTTPRoute', api.httpRoutes, compileHttpRoute),
    ...compileAll('GRPCRoute', api.grpcRoutes, compileGrpcRoute),
    ...compileAll('TLSRoute', api.tlsRoutes, compileStreamRoute),
    ...compileAll('TCPRoute', api.tcpRoutes, compileStreamRoute),
    ...compileAll('UDPRoute', api.udpRoutes, compileStreamRoute),
  ]
  const served = entrancesOf(gateways, routes, sources)
  const authorities = new Map([...backends.authorities, ...served.authorities])
  const certificates = new Map([...backends.certificates, ...served.certificates])
  return {
    classes,
    gateways,
    clientCertificates,
    routes,
    policies,
    entrances: served.entrances,
    backends: backends.backends,
    authorities,
    certificates,
    findings: [...served.findings, ...findingsOf(routes)],
  }
}

type Compiled = Pick<Partial<RouteAtParent>, 'rules' | 'targets'> & { refused?: Verdict; unserved?: Verdict }

/** What routes came to, by Gateway. */
const compiledRoutes = perObject(
  (_: AnyRoute) => new Map<ObjectKey, { compiled: Compiled; reached: Reached; shown: Certificate | undefined }>(),
)

/** A route comes to the same as long as its references lead to the same. */
function compileOnce<Route extends AnyRoute>(
  route: Route,
  from: Referring,
  all: Backends,
  compile: (route: Route, own: Backends, from: Referring) => Compiled,
): Compiled {
  const known = compiledRoutes(route)
  const last = known.get(from.gateway)
  if (last !== undefined && last.shown?.pem === from.clientCertificate?.pem && all.isStill(last.reached)) {
    all.take(last.reached)
    return last.compiled
  }
  const { value: compiled, reached } = all.apart((own) => compile(route, own, from))
  all.take(reached)
  known.set(from.gateway, { compiled, reached, shown: from.clientCertificate })
  return compiled
}

/** What the gateway shows to pods: `spec.tls.backend.clientCertificateRef`. */
function clientCertificateOf(gateway: Gateway, sources: Sources): Certificate | Verdict | undefined {
  const reference = gateway.spec?.tls?.backend?.clientCertificateRef
  if (reference === undefined) return undefined
  const from = { group: gatewayGroup, kind: 'Gateway', namespace: gateway.metadata.namespace ?? '' }
  const because = { object: `gateway/${keyOf(gateway)}`, field: 'spec.tls.backend', value: reference.name }
  const read = resolveCertificate(reference, from, because, sources)
  if ('pem' in read || read.reason === 'RefNotPermitted') return read
  return verdict(false, 'InvalidClientCertificateRef', read.message)
}

/** Refusals are conditions already; findings bring them to those who ask a node. */
function findingsOf(routes: readonly RouteState[]): Finding[] {
  return routes.flatMap(({ route, kind, parents }) => {
    const object = `${kind.toLowerCase()}/${keyOf(route)}`
    const told = new Map(
      parents.flatMap(({ accepted, resolved }) =>
        [accepted, resolved]
          .filter(({ ok }) => !ok)
          .map(({ reason, message }): [string, Finding] => [
            `${reason} ${message}`,
            { code: reason, object, field: 'status.parents', says: message, try: `kubectl describe ${object}` },
          ]),
      ),
    )
    return [...told.values()]
  })
}
