import { type Address, type Family, familyOf } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/index.ts'
import { type ServiceAddress, serviceAddresses, sourcesOf } from './addresses.ts'
import { hashingOf } from './balancing.ts'
import { chooseEndpoints, type Offer } from './choose.ts'
import { drainOf } from './drain.ts'
import {
  type Affinity,
  type Because,
  type Candidate,
  type Choosing,
  type Finding,
  type Frontend,
  type Hashing,
  type HealthCheck,
  loopback,
  type NodeView,
  type Outcome,
  type ServiceModel,
  type Sources,
  type Subject,
  type Transport,
} from './model.ts'
import { collectOffers, sliceFindings, unmatchedPorts } from './offers.ts'

/** The label by which a Service, or a slice, asks another proxy than the node's own to serve it. */
const proxyNameLabel = 'service.kubernetes.io/service-proxy-name'
/** The label of what no proxy serves; the controller puts it on slices of headless Services. */
const headlessLabel = 'service.kubernetes.io/headless'

/** `DefaultClientIPServiceAffinitySeconds` of the core API: three hours. */
const defaultAffinitySeconds = 10_800

/**
 * What a Service means on a node, out of the Service and its slices alone. Total: whatever is wrong with them becomes a
 * finding, and the rest is served. Slices of another family, of type FQDN, without the port or with a label that keeps proxies from them do not take part.
 */
export function compileService(service: Service, all: readonly EndpointSlice[], node: NodeView): ServiceModel {
  const key = keyOf(service)
  const object = `service/${key}`
  const created = service.metadata.creationTimestamp ?? ''
  const subject = compileSubject(service, object)
  if (subject.kind === 'ignored')
    return { key, created, subject, frontends: [], healthCheck: undefined, drain: undefined, findings: [] }
  const slices = all.filter((slice) => keepingLabel(slice) === undefined)
  const findings: Finding[] = [...slices.flatMap(sliceFindings), ...all.flatMap(keptFindings)]
  const hashing = hashingOf(service, object, findings)
  const addresses = serviceAddresses(service, object, node, findings)
  const sources = new Map<Address, Sources | undefined>()
  for (const { kind, address } of addresses) {
    if (kind === 'load-balancer-ip') sources.set(address, sourcesOf(service, object, address, node, findings))
  }
  const ports = (service.spec.ports ?? []).map(
    (port, index) => new PortMeaning({ service, object, hashing, slices, node }, index, port),
  )
  const frontends = ports.flatMap((port) =>
    addresses.flatMap((address) => port.frontendAt(address, sources.get(address.address)) ?? []),
  )
  findings.push(...unmatchedPorts(service, object, slices))
  const drain = drainOf(service, object, frontends, findings)
  return { key, created, subject, frontends, healthCheck: compileHealthCheck(service, ports), drain, findings }
}

/** The label of a slice that keeps proxies from it. */
function keepingLabel({ metadata }: EndpointSlice): string | undefined {
  return [proxyNameLabel, headlessLabel].find((label) => metadata.labels?.[label] !== undefined)
}

function keptFindings(slice: EndpointSlice): Finding[] {
  const label = keepingLabel(slice)
  if (label === undefined) return []
  return [
    {
      code: 'SliceNotProxied',
      object: `endpointslice/${keyOf(slice)}`,
      field: `metadata.labels[${label}]`,
      says: 'its endpoints are not served at addresses of the Service, because of this label',
      try: 'remove the label, if they are meant to be',
    },
  ]
}

function compileSubject(service: Service, object: string): Subject {
  const { type, clusterIP, clusterIPs } = service.spec
  const ignored = (reason: Extract<Subject, { kind: 'ignored' }>['reason'], field: string, value: string): Subject => ({
    kind: 'ignored',
    reason,
    because: { object, field, value },
  })
  const proxy = service.metadata.labels?.[proxyNameLabel]
  if (proxy !== undefined) return ignored('other-proxy', `metadata.labels[${proxyNameLabel}]`, proxy)
  const headless = service.metadata.labels?.[headlessLabel]
  if (headless !== undefined) return ignored('headless', `metadata.labels[${headlessLabel}]`, headless)
  if (type === 'ExternalName') return ignored('external-name', 'spec.type', type)
  const first = clusterIPs?.[0] ?? clusterIP ?? ''
  if (first === 'None') return ignored('headless', 'spec.clusterIP', first)
  if (first === '') return ignored('no-cluster-ip', 'spec.clusterIP', first)
  return { kind: 'proxied', because: { object, field: 'spec.clusterIP', value: first } }
}

interface Chosen {
  readonly scope: 'cluster' | 'local'
  readonly anywhere: boolean
  readonly candidates: readonly Candidate[]
  readonly endpoints: readonly Candidate[]
}

type Policy = 'internalTrafficPolicy' | 'externalTrafficPolicy'

/** One Service port: what is chosen for it is chosen once, however many addresses lead there. */
class PortMeaning {
  readonly #service: Service
  readonly #object: string
  readonly #hashing: Hashing | undefined
  readonly #index: number
  readonly #port: ServicePort
  readonly #slices: readonly EndpointSlice[]
  readonly #node: NodeView
  readonly #offers = new Map<Family, readonly Offer[]>()
  readonly #choices = new Map<string, Chosen>()

  constructor(
    common: {
      readonly service: Service
      readonly object: string
      readonly hashing: Hashing | undefined
      readonly slices: readonly EndpointSlice[]
      readonly node: NodeView
    },
    index: number,
    port: ServicePort,
  ) {
    this.#service = common.service
    this.#object = common.object
    this.#hashing = common.hashing
    this.#slices = common.slices
    this.#node = common.node
    this.#index = index
    this.#port = port
  }

  /** Undefined where the port has no node port. */
  frontendAt({ kind, address, because }: ServiceAddress, sources: Sources | undefined): Frontend | undefined {
    const family = familyOf(address)
    const { nodePort = 0, name = '', protocol } = this.#port
    const port = kind === 'node-port' ? nodePort : this.#port.port
    if (port === 0 || (address === loopback && transportOf(protocol) !== 'tcp')) return undefined
    const policy: Policy = kind === 'cluster-ip' ? 'internalTrafficPolicy' : 'externalTrafficPolicy'
    const local = this.#service.spec[policy] === 'Local'
    const outside = kind !== 'cluster-ip'
    return {
      kind,
      family,
      address,
      protocol: transportOf(protocol),
      port,
      portName: name,
      ...this.#choose(family, policy, local),
      inside: outside && local ? this.#choose(family, policy, false) : undefined,
      masquerade: outside ? (local ? 'own' : 'everyone') : 'strangers',
      affinity: this.#affinity(),
      hashing: this.#hashing,
      sources,
      because: { address: because, port: this.#because(kind === 'node-port' ? 'nodePort' : 'port', port) },
    }
  }

  /** Addresses of this node's ready endpoints. */
  localReady(family: Family): readonly Address[] {
    return this.#offersOf(family)
      .filter(({ ready, node }) => ready && node === this.#node.name)
      .map(({ address }) => address)
  }

  #choose(family: Family, policy: Policy, local: boolean): Choosing {
    const chosen = this.#chosen(family, local)
    const because = {
      policy: { object: this.#object, field: `spec.${policy}`, value: local ? 'Local' : 'Cluster' },
      port: this.#because('port', this.#port.port),
    }
    return { outcome: conclude(chosen, because), candidates: chosen.candidates }
  }

  #chosen(family: Family, local: boolean): Chosen {
    const id = `${family} ${local}`
    const known = this.#choices.get(id)
    if (known !== undefined) return known
    const offers = this.#offersOf(family)
    const { scope, uses, anywhere } = chooseEndpoints(offers, local, this.#node)
    const candidates = offers.map((offer, at): Candidate => {
      const { hints: _, ...rest } = offer
      return { ...rest, use: uses[at]! }
    })
    const chosen = { scope, anywhere, candidates, endpoints: candidates.filter(({ use }) => use.kind === 'chosen') }
    this.#choices.set(id, chosen)
    return chosen
  }

  #offersOf(family: Family): readonly Offer[] {
    const known = this.#offers.get(family)
    if (known !== undefined) return known
    const offers = collectOffers(this.#slices, this.#port, family)
    this.#offers.set(family, offers)
    return offers
  }

  #affinity(): Affinity | undefined {
    const { sessionAffinity, sessionAffinityConfig } = this.#service.spec
    if (sessionAffinity !== 'ClientIP') return undefined
    const timeoutSeconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds
    return { timeoutSeconds, because: { object: this.#object, field: 'spec.sessionAffinity', value: sessionAffinity } }
  }

  #because(field: 'port' | 'nodePort', value: number): Because {
    return { object: this.#object, field: `spec.ports[${this.#index}].${field}`, value: String(value) }
  }
}

function conclude(
  { scope, anywhere, endpoints }: Chosen,
  { policy, port }: { readonly policy: Because; readonly port: Because },
): Outcome {
  if (endpoints.length > 0) return { kind: 'balance', scope, endpoints, because: scope === 'local' ? policy : port }
  if (anywhere) return { kind: 'drop', reason: 'no-local-endpoints', because: policy }
  return { kind: 'reject', reason: 'no-endpoints', because: port }
}

function compileHealthCheck({ spec }: Service, ports: readonly PortMeaning[]): HealthCheck | undefined {
  const { type, externalTrafficPolicy, healthCheckNodePort = 0 } = spec
  if (type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local' || healthCheckNodePort === 0) return undefined
  const { clusterIP = '', clusterIPs = [clusterIP] } = spec
  const has = (family: Family): boolean => clusterIPs.some((one) => one.includes(':') === (family === 6))
  const count = (family: Family): number => new Set(ports.flatMap((port) => port.localReady(family))).size
  // A balancer may ask a node at its address of a family that the Service does not have.
  return {
    port: healthCheckNodePort,
    localEndpoints: { 4: count(has(4) ? 4 : 6), 6: count(has(6) ? 6 : 4) },
  }
}

function transportOf(protocol: ServicePort['protocol']): Transport {
  return protocol === 'UDP' ? 'udp' : protocol === 'SCTP' ? 'sctp' : 'tcp'
}
