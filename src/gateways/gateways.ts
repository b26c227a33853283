import { isDeepStrictEqual } from 'node:util'
import { keyOf, type ObjectKey } from '../cluster/index.ts'
import { type Parent, parentsOf } from './attach.ts'
import { compilePolicies, type Policies } from './backend-tls.ts'
import { Ports } from './entrances.ts'
import {
  type AnyRoute,
  type BackendTLSPolicy,
  type Gateway,
  type GatewayClass,
  gatewayGroup,
  type ListenerSet,
} from './gateway-api.ts'
import { compileGrpcRoute, compileHttpRoute } from './http-route.ts'
import { difference, keepList } from './keyed.ts'
import { Answers, Ledger, type Look, turnSources, watched } from './ledger.ts'
import { resolveCertificate } from './listener-tls.ts'
import { compileListeners, type GatewayState, parentOf } from './listeners.ts'
import type { Authority, BackendModel, Certificate, Entrance, Finding } from './model.ts'
import { Offers } from './offers.ts'
import { perObject } from './remember.ts'
import { type CompileRoute, type Given, type RouteState, Routes } from './routes.ts'
import type { GatewayApiSources, Sources } from './sources.ts'
import { compileStreamRoute } from './stream-route.ts'
import { type Verdict, verdict } from './verdict.ts'

/** `spec.controllerName` of the GatewayClasses that are Plumb's to serve. */
export const gatewayControllerName = 'plumb.network/gateway-controller'

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
  readonly findings: readonly Finding[]
}

/** All of it read once. */
export function compileGatewayApi(sources: Sources): GatewayApiState {
  return new GatewayApiStates().compile(sources)
}

/** The same, asked again and again: what says the same is the same object as before. */
export class GatewayApiStates {
  readonly #ledger = new Ledger()
  readonly #offers = new Offers()
  readonly #api = new GatewayApi(this.#ledger, this.#offers)

  compile(sources: Sources): GatewayApiState {
    turnSources(this.#ledger, sources)
    const served = this.#api.update(sources)
    return { ...served, ...this.#api.state(), backends: byId(this.#offers.backends.list()) }
  }

  /** Whether what was compiled last depends on an object, be it that it is not there. */
  isRead(kind: 'secrets' | 'configMaps' | 'namespaces' | 'services', key: ObjectKey): boolean {
    return this.#ledger.isRead(kind, key)
  }
}

const byId = perObject((backends: readonly BackendModel[]) => new Map(backends.map((one) => [one.id, one])))

interface GatewayAnswer {
  readonly state: GatewayState
  readonly shown?: Certificate | Verdict
}

/** What the ports of all Gateways are. */
interface Served {
  readonly entrances: readonly Entrance[]
  readonly certificates: readonly Certificate[]
  readonly authorities: readonly Authority[]
  readonly findings: readonly Finding[]
}

/** The Gateway API, followed: what is asked again costs as much as what has changed. */
export class GatewayApi {
  readonly #ledger: Ledger
  readonly #offers: Offers
  readonly #judged: Answers<Gateway, GatewayAnswer | undefined>
  readonly #policies: Answers<readonly BackendTLSPolicy[], Policies>
  readonly #routes: readonly (readonly [keyof GatewayApiSources, Routes<AnyRoute>])[]
  #sources!: Sources
  #policyList: readonly BackendTLSPolicy[] = []
  #gateways: readonly Gateway[] = []
  #states: readonly GatewayState[] = []
  #parents: ReadonlyMap<string, Parent> = new Map()
  #shown: ReadonlyMap<ObjectKey, Certificate | Verdict> = new Map()
  #ports: ReadonlyMap<Gateway, { readonly state: GatewayState; readonly ports: Ports }> = new Map()

  constructor(ledger: Ledger, offers: Offers) {
    this.#ledger = ledger
    this.#offers = offers
    this.#judged = new Answers(ledger, (gateway, look) => {
      if (!classesOf(look).some(({ metadata }) => metadata.name === gateway.spec?.gatewayClassName)) return undefined
      const own = watched(this.#sources, look)
      const sets = (look('sets', keyOf(gateway)) ?? []) as readonly ListenerSet[]
      const shown = clientCertificateOf(gateway, own)
      return { state: compileListeners(gateway, sets, own), ...(shown && { shown }) }
    })
    this.#policies = new Answers(ledger, (policies, look) => compilePolicies(policies, watched(this.#sources, look)))
    const routes = <Route extends AnyRoute>(kind: RouteState['kind'], compile: CompileRoute<Route>) =>
      new Routes(kind, ledger, compile) as unknown as Routes<AnyRoute>
    this.#routes = [
      ['httpRoutes', routes('HTTPRoute', compileHttpRoute)],
      ['grpcRoutes', routes('GRPCRoute', compileGrpcRoute)],
      ['tlsRoutes', routes('TLSRoute', compileStreamRoute)],
      ['tcpRoutes', routes('TCPRoute', compileStreamRoute)],
      ['udpRoutes', routes('UDPRoute', compileStreamRoute)],
    ]
  }

  /** What the objects mean now; the caller has turned the ledger to them. */
  update(sources: Sources): Served {
    this.#sources = sources
    const { classes, gateways, listenerSets, policies } = sources.gatewayApi
    this.#ledger.turnList('classes', classes)
    this.#ledger.turnGroups('sets', listenerSets, parentOf)
    const policyList = keepList(this.#policyList, policies)
    if (policyList !== this.#policyList) this.#policies.forget(this.#policyList)
    this.#policyList = policyList
    const judgedPolicies = this.#policies.of(policyList)
    this.#ledger.turn('policies', judgedPolicies.byService)
    this.#judge(gateways)
    this.#ledger.turn('parents', this.#parents)
    this.#ledger.turn('shown', this.#shown)
    for (const [kind, routes] of this.#routes)
      routes.update(sources.gatewayApi[kind] as readonly AnyRoute[], sources, judgedPolicies, (given, isGiven) =>
        this.#take(given, isGiven),
      )
    return this.#serve(sources)
  }

  /** What is told of it to the objects. */
  state(): Pick<GatewayApiState, 'classes' | 'gateways' | 'clientCertificates' | 'routes' | 'policies'> {
    return {
      classes: this.#sources.gatewayApi.classes.filter(isOurs),
      gateways: this.#states,
      clientCertificates: this.#shown,
      routes: this.#routes.flatMap(([, one]) => one.states),
      policies: this.#policies.of(this.#policyList),
    }
  }

  #judge(gateways: readonly Gateway[]): void {
    for (const gone of difference(this.#gateways, gateways).gone) this.#judged.forget(gone)
    this.#gateways = gateways
    const judged = gateways.flatMap((gateway) => this.#judged.of(gateway) ?? [])
    const states = keepList(
      this.#states,
      judged.map(({ state }) => state),
    )
    if (states === this.#states) return
    this.#states = states
    this.#parents = new Map(states.flatMap(parentsOf))
    this.#shown = new Map(
      judged.flatMap(({ state, shown }) => {
        const key = keyOf(state.gateway)
        return shown === undefined ? [] : [[key, keepCertificate(this.#shown.get(key), shown)]]
      }),
    )
    this.#ports = new Map(
      states.map((state) => {
        const known = this.#ports.get(state.gateway)
        return [state.gateway, known?.state === state ? known : { state, ports: new Ports(state) }]
      }),
    )
  }

  #take({ claims, offers }: Given, isGiven: boolean): void {
    for (const offer of offers)
      if (isGiven) this.#offers.add(offer)
      else this.#offers.remove(offer)
    for (const [listener, claim] of claims) {
      const ports = this.#ports.get(listener.gateway)?.ports
      if (isGiven) ports?.add(listener, claim)
      else ports?.remove(listener, claim)
    }
  }

  #serve({ services }: Sources): Served {
    const all = [...this.#ports.values()].map(({ ports }) => ports)
    const served = all.flatMap((ports) => ports.served(services))
    return {
      entrances: served.map(({ entrance }) => entrance),
      certificates: served.flatMap(({ certificates }) => certificates),
      authorities: served.flatMap(({ authorities }) => authorities),
      findings: [...all.flatMap(({ findings }) => findings), ...this.#routes.flatMap(([, routes]) => routes.findings)],
    }
  }
}

function classesOf(look: Look): readonly GatewayClass[] {
  return (look('classes', '') as readonly GatewayClass[]).filter(isOurs)
}

function isOurs({ spec }: GatewayClass): boolean {
  return spec?.controllerName === gatewayControllerName
}

/** The one of before where it is the same: routes that show it stay as they are. */
function keepCertificate(before: Certificate | Verdict | undefined, now: Certificate | Verdict): Certificate | Verdict {
  return isDeepStrictEqual(before, now) ? before! : now
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
