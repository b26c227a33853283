import { keyOf } from '../cluster/index.ts'
import { type Attachment, attach, type Parent } from './attach.ts'
import { Backends, type Referring } from './backend-reference.ts'
import type { Policies, PolicyState } from './backend-tls.ts'
import { isForRequests, type StreamClaim } from './entrances.ts'
import type { AnyRoute } from './gateway-api.ts'
import { type HostPattern, hostText } from './host.ts'
import { difference, fitted, Row } from './keyed.ts'
import { Answers, type Ledger, watched } from './ledger.ts'
import type { ListenerState } from './listeners.ts'
import type { Certificate, Finding, HttpRule, WeightedTarget } from './model.ts'
import type { Offer } from './offers.ts'
import { perObject } from './remember.ts'
import type { Sources } from './sources.ts'
import type { Claim } from './tiers.ts'
import { type Verdict, verdict } from './verdict.ts'

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
  /** The BackendTLSPolicies of Services that it leads to. */
  readonly policies: ReadonlySet<PolicyState>
}

type Compiled = Pick<Partial<RouteAtParent>, 'rules' | 'targets'> & { refused?: Verdict; unserved?: Verdict }
export type CompileRoute<Route> = (route: Route, backends: Backends, from: Referring) => Compiled

/** What a route gives to what is made of all routes. */
export interface Given {
  readonly claims: readonly (readonly [ListenerState, Claim | StreamClaim])[]
  readonly offers: readonly Offer[]
}

/** What the references of a route come to. */
interface CompiledRoute extends Compiled {
  readonly offer: Offer
  readonly policies: ReadonlySet<PolicyState>
}

/** A route as a Gateway has it: what its references come to does not depend on how it is attached. */
interface AtGateway<Route> {
  readonly route: Route
  readonly gateway: string
}

interface Unit {
  readonly state: RouteState
  readonly given: Given
  readonly findings: readonly Finding[]
}

/** All routes of a kind. A change costs as much as the routes that it is about. */
export class Routes<Route extends AnyRoute> {
  readonly #kind: Referring['kind']
  readonly #attached: Answers<Route, readonly Attachment[]>
  readonly #compiled: Answers<AtGateway<Route>, CompiledRoute>
  readonly #atGateway = perObject((_: Route): AtGateway<Route>[] => [])
  readonly #units = new Map<Route, Unit>()
  readonly #states = new Row<RouteState>()
  readonly #findings = new Map<Route, readonly Finding[]>()
  #routes: readonly Route[] = []
  #sources!: Sources
  #policies!: Policies

  constructor(kind: Referring['kind'], ledger: Ledger, compile: CompileRoute<Route>) {
    this.#kind = kind
    this.#attached = new Answers(ledger, (route, look) =>
      attach(route, kind, (key) => look('parents', key) as Parent | undefined, watched(this.#sources, look)),
    )
    this.#compiled = new Answers(ledger, ({ route, gateway }, look) => {
      const shown = look('shown', gateway) as Certificate | Verdict | undefined
      const namespace = route.metadata.namespace ?? ''
      const from = { kind, namespace, gateway, ...(shown && 'pem' in shown && { clientCertificate: shown }) }
      const byService = { get: (key: string) => look('policies', key) as readonly PolicyState[] | undefined }
      const { byTarget } = this.#policies
      const backends = new Backends(watched(this.#sources, look), { byTarget, byService })
      return { ...compile(route, backends, from), ...reachedBy(backends) }
    })
  }

  get states(): readonly RouteState[] {
    return this.#states.list()
  }

  get findings(): readonly Finding[] {
    return [...this.#findings.values()].flat()
  }

  /** Takes the routes as they are now. What is given no longer is told before what is given instead. */
  update(
    routes: readonly Route[],
    sources: Sources,
    policies: Policies,
    take: (given: Given, isGiven: boolean) => void,
  ): void {
    this.#sources = sources
    this.#policies = policies
    const { gone, come } = difference(this.#routes, routes)
    this.#routes = routes
    const spoilt = new Set([
      ...this.#attached.takeSpoilt(),
      ...[...this.#compiled.takeSpoilt()].map(({ route }) => route),
    ])
    for (const route of gone) {
      spoilt.delete(route)
      this.#drop(route, take)
      this.#attached.forget(route)
      for (const one of this.#atGateway(route)) this.#compiled.forget(one)
    }
    for (const route of spoilt) this.#drop(route, take)
    for (const route of [...spoilt, ...come]) this.#put(route, take)
  }

  #drop(route: Route, take: (given: Given, isGiven: boolean) => void): void {
    const unit = this.#units.get(route)
    if (unit === undefined) return
    this.#units.delete(route)
    this.#states.delete(keyOf(route))
    this.#findings.delete(route)
    take(unit.given, false)
  }

  #put(route: Route, take: (given: Given, isGiven: boolean) => void): void {
    const attached = this.#attached.of(route)
    if (attached.length === 0) return
    const all = attached.map((at) => ({ at, ...this.#compileAt(route, keyOf(at.gateway.gateway)) }))
    const parents = all.map(
      ({ at, refused, unserved, rules = none, targets = none, policies }): RouteAtParent => ({
        ...at,
        accepted: at.accepted.ok && unserved !== undefined ? unserved : at.accepted,
        rules,
        targets,
        policies,
        resolved: refused ?? resolved,
      }),
    )
    const state: RouteState = { route, kind: this.#kind, parents }
    const given: Given = {
      claims: fitted(parents.flatMap((parent) => claimsOf(state, parent))),
      offers: [...new Set(all.map(({ offer }) => offer))],
    }
    const findings = findingsOf(state)
    this.#units.set(route, { state, given, findings })
    this.#states.set(keyOf(route), state)
    if (findings.length > 0) this.#findings.set(route, findings)
    take(given, true)
  }

  #compileAt(route: Route, gateway: string): CompiledRoute {
    const known = this.#atGateway(route)
    const found = known.find((one) => one.gateway === gateway)
    const one = found ?? { route, gateway }
    if (found === undefined) known.push(one)
    return this.#compiled.of(one)
  }
}

const none: readonly never[] = []
const noPolicies: ReadonlySet<PolicyState> = new Set()
const resolved = verdict(true, 'ResolvedRefs', 'all references are resolved')

function reachedBy({
  backends,
  authorities,
  certificates,
  policies,
}: Backends): Pick<CompiledRoute, 'offer' | 'policies'> {
  const listed = <T>(all: ReadonlyMap<string, T>): readonly T[] => (all.size === 0 ? none : [...all.values()])
  return {
    offer: { backends: listed(backends), authorities: listed(authorities), certificates: listed(certificates) },
    policies: policies.size === 0 ? noPolicies : policies,
  }
}

/** What a route claims at the listeners of a parent; a listener that two of its parents are has it once. */
function claimsOf(state: RouteState, parent: RouteAtParent): (readonly [ListenerState, Claim | StreamClaim])[] {
  const earlier = state.parents.slice(0, Math.max(0, state.parents.indexOf(parent)))
  return parent.at.flatMap(({ listener, hosts }) => {
    const taken = earlier.flatMap(({ at }) => at.filter((one) => one.listener === listener).flatMap((one) => one.hosts))
    const names = new Set(taken.map(hostText))
    const own = hosts.filter((host) => !names.has(hostText(host)) && names.add(hostText(host)))
    return own.map((host) => [listener, claimOf(state, parent, listener, host)] as const)
  })
}

function claimOf(
  { route, kind }: RouteState,
  parent: RouteAtParent,
  listener: ListenerState,
  host: HostPattern,
): Claim | StreamClaim {
  const created = route.metadata.creationTimestamp ?? ''
  if (isForRequests(listener))
    return { listener: listener.id, host, created, object: `${keyOf(route)} ${kind}`, rules: parent.rules }
  const object = `${kind.toLowerCase()}/${keyOf(route)}`
  return {
    host,
    listener: listener.id,
    mode: streamMode(listener),
    action: { id: object, targets: parent.targets },
    because: { object, field: 'spec.rules[0]', value: '' },
    order: `${created} ${keyOf(route)}`,
  }
}

function streamMode({ protocol, mode }: ListenerState): StreamClaim['mode'] {
  if (protocol === 'TCP') return 'tcp'
  if (protocol === 'UDP') return 'udp'
  return mode === 'passthrough' ? 'passthrough' : 'terminate'
}

/** Refusals are conditions already; findings bring them to those who ask a node. */
function findingsOf({ route, kind, parents }: RouteState): Finding[] {
  const refused = parents.flatMap(({ accepted, resolved }) => [accepted, resolved]).filter(({ ok }) => !ok)
  if (refused.length === 0) return []
  const object = `${kind.toLowerCase()}/${keyOf(route)}`
  const told = refused.map(({ reason, message }): [string, Finding] => [
    `${reason} ${message}`,
    { code: reason, object, field: 'status.parents', says: message, try: `kubectl describe ${object}` },
  ])
  return [...new Map(told).values()]
}
