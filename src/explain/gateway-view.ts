import { keyOf, type Snapshot } from '../cluster/index.ts'
import { compileGatewayApi, hostText, type Sources } from '../gateways/index.ts'
import { keysIn, nearest } from './end.ts'
import {
  backendView,
  certificateView,
  type EntryView,
  healthOf,
  type ListenerView,
  matchText,
  type RouteView,
} from './entry-view.ts'

type State = ReturnType<typeof compileGatewayApi>
type Gateway = State['gateways'][number]
type AtParent = State['routes'][number]['parents'][number]

/** Draws a Gateway with its ListenerSets and routes out of the objects; text for one that does not exist, with the nearest names. `state` is the sources compiled, for who draws many. */
export function gatewayView(
  snapshot: Snapshot,
  sources: Sources,
  namespace: string,
  name: string,
  state: State = compileGatewayApi(sources),
): EntryView | string {
  const all = new Map(sources.gatewayApi.gateways.map((one) => [keyOf(one), one]))
  const key = `${namespace}/${name}`
  const gateway = all.get(key)
  if (gateway === undefined) return `there is no Gateway ${key}${nearest(name, keysIn(all, namespace))}`
  const found = state.gateways.find((one) => keyOf(one.gateway) === key)
  const className = gateway.spec?.gatewayClassName
  const routes = state.routes.flatMap((route) => routeViews(snapshot, state, route, key))
  const listeners = found?.listeners.map(listenerView) ?? []
  const addresses = gateway.status?.addresses ?? []
  const objects = new Set([`gateway/${key}`, ...routes.map(({ object }) => object)])
  const problems = listeners.flatMap((one) =>
    one.problem === undefined ? [] : [`listener ${one.name}: ${one.problem}`],
  )
  if (addresses.length === 0)
    problems.push('it has no address yet (status.addresses; the Programmed condition says why)')
  return {
    schema: 'plumb.network/show/v1',
    object: `gateway/${key}`,
    className,
    health: judge(found, className, routes, problems),
    addresses: addresses.map(({ value }) => ({ address: value })),
    listeners,
    routes,
    conditions: gateway.status?.conditions ?? [],
    findings: state.findings.filter(({ object }) => objects.has(object)),
  }
}

function judge(
  found: Gateway | undefined,
  className: string | undefined,
  routes: readonly RouteView[],
  problems: readonly string[],
): EntryView['health'] {
  if (found === undefined)
    return {
      kind: 'ignored',
      says: `GatewayClass ${className} is not Plumb’s, or there is none (spec.gatewayClassName)`,
    }
  if (!found.accepted.ok) return { kind: 'refuses', says: `${found.accepted.reason}: ${found.accepted.message}` }
  if (routes.length === 0)
    return { kind: 'refuses', says: 'no route names it as a parent (spec.parentRefs of a route)' }
  return healthOf(routes, problems)
}

function listenerView({ spec, host, certificates, accepted, resolved }: Gateway['listeners'][number]): ListenerView {
  const wrong = [accepted, resolved].find(({ ok }) => !ok)
  return {
    name: `${spec.name}: ${spec.port}/${spec.protocol}`,
    hosts: [hostText(host)],
    certificates: certificates.map(certificateView),
    problem: wrong && `${wrong.reason}: ${wrong.message}`,
  }
}

function routeViews(
  snapshot: Snapshot,
  { backends }: State,
  { route, kind, parents }: State['routes'][number],
  gateway: string,
): RouteView[] {
  const object = `${kind.toLowerCase()}/${keyOf(route)}`
  return parents
    .filter((parent) => keyOf(parent.gateway.gateway) === gateway)
    .map((parent: AtParent): RouteView => {
      const wrong = [parent.accepted, parent.resolved].find(({ ok }) => !ok)
      const hosts = [...new Set(parent.at.flatMap((one) => one.hosts.map(hostText)))]
      const stream = { object, field: 'spec.rules', value: '' }
      const rules = parent.rules.map((rule) => ({
        because: rule.because,
        hosts,
        matches: matchText(rule),
        backends: rule.action.targets.map((target) => backendView(snapshot, target, backends)),
      }))
      const targets = parent.targets.map((target) => backendView(snapshot, target, backends))
      const streams = targets.length === 0 ? [] : [{ because: stream, hosts, matches: 'all bytes', backends: targets }]
      return {
        object,
        problem: wrong && `${wrong.reason}: ${wrong.message}`,
        hosts,
        rules: parent.accepted.ok ? [...rules, ...streams] : [],
      }
    })
}
