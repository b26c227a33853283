import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/index.ts'
import { chooseEndpoints, type Offer } from './choose.ts'
import type {
  Because,
  Candidate,
  Finding,
  Frontend,
  NodeView,
  Outcome,
  ServiceModel,
  Subject,
  Transport,
} from './model.ts'

/** The label by which a Service asks another proxy than the node's own to serve it. */
const proxyNameLabel = 'service.kubernetes.io/service-proxy-name'

const addressTypes = { 4: 'IPv4', 6: 'IPv6' } as const

/**
 * What a Service means on a node, out of the Service and its slices alone. Total: whatever is wrong with them becomes a
 * finding, and the rest is served. Slices of another family, of type FQDN or without the port do not take part.
 */
export function compileService(service: Service, slices: readonly EndpointSlice[], node: NodeView): ServiceModel {
  const key = keyOf(service)
  const object = `service/${key}`
  const created = service.metadata.creationTimestamp ?? ''
  const subject = compileSubject(service, object)
  if (subject.kind === 'ignored') return { key, created, subject, frontends: [], findings: [] }
  const findings: Finding[] = [...limits(service, object), ...slices.flatMap(sliceFindings)]
  const addresses = clusterAddresses(service, object, findings)
  const frontends: Frontend[] = []
  for (const [index, port] of (service.spec.ports ?? []).entries()) {
    for (const { address, because } of addresses) {
      frontends.push(compileFrontend(service, { object, index, port, slices, node }, address, because))
    }
  }
  findings.push(...unmatchedPorts(service, object, slices))
  return { key, created, subject, frontends, findings }
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
  if (type === 'ExternalName') return ignored('external-name', 'spec.type', type)
  const first = clusterIPs?.[0] ?? clusterIP ?? ''
  if (first === 'None') return ignored('headless', 'spec.clusterIP', first)
  if (first === '') return ignored('no-cluster-ip', 'spec.clusterIP', first)
  return { kind: 'proxied', because: { object, field: 'spec.clusterIP', value: first } }
}

/** ClusterIPs that are addresses, one per family as upstream. */
function clusterAddresses(
  service: Service,
  object: string,
  findings: Finding[],
): { address: Address; because: Because }[] {
  const { clusterIP, clusterIPs } = service.spec
  const texts =
    clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : clusterIP === undefined ? [] : [clusterIP]
  const addresses = new Map<Family, { address: Address; because: Because }>()
  for (const [index, text] of texts.entries()) {
    const field = `spec.clusterIPs[${index}]`
    const address = findAddress(text)
    if (address === undefined) {
      findings.push({
        code: 'BrokenClusterIP',
        object,
        field,
        says: `"${text}" is not an IP address`,
        try: 'leave spec.clusterIP empty and the API server picks one',
      })
    } else if (!addresses.has(familyOf(address))) {
      addresses.set(familyOf(address), { address, because: { object, field, value: text } })
    }
  }
  return [...addresses.values()]
}

interface PortContext {
  readonly object: string
  readonly index: number
  readonly port: ServicePort
  readonly slices: readonly EndpointSlice[]
  readonly node: NodeView
}

function compileFrontend(service: Service, context: PortContext, address: Address, because: Because): Frontend {
  const { object, index, port, slices, node } = context
  const family = familyOf(address)
  const local = service.spec.internalTrafficPolicy === 'Local'
  const offers = collectOffers(slices, port, family)
  const choice = chooseEndpoints(offers, local, node)
  const candidates = offers.map((offer, at): Candidate => {
    const { hints: _, ...rest } = offer
    return { ...rest, use: choice.uses[at]! }
  })
  const portBecause = { object, field: `spec.ports[${index}].port`, value: String(port.port) }
  return {
    kind: 'cluster-ip',
    family,
    address,
    protocol: transportOf(port.protocol),
    port: port.port,
    portName: port.name ?? '',
    outcome: conclude(candidates, choice.scope, choice.anywhere, object, portBecause),
    candidates,
    because: { address: because, port: portBecause },
  }
}

function conclude(
  candidates: readonly Candidate[],
  scope: 'cluster' | 'local',
  anywhere: boolean,
  object: string,
  port: Because,
): Outcome {
  const endpoints = candidates.filter(({ use }) => use.kind === 'chosen')
  const policy: Because = {
    object,
    field: 'spec.internalTrafficPolicy',
    value: scope === 'local' ? 'Local' : 'Cluster',
  }
  if (endpoints.length > 0) return { kind: 'balance', scope, endpoints, because: scope === 'local' ? policy : port }
  if (anywhere) return { kind: 'drop', reason: 'no-local-endpoints', because: policy }
  return { kind: 'reject', reason: 'no-endpoints', because: port }
}

/** Only an endpoint's first address is used, as upstream (the API calls the others fungible and unused). */
function collectOffers(slices: readonly EndpointSlice[], port: ServicePort, family: Family): readonly Offer[] {
  const offers: Offer[] = []
  for (const slice of slices) {
    if (slice.addressType !== addressTypes[family]) continue
    const target = findSlicePort(slice, port)
    if (target === undefined) continue
    const object = sliceObject(slice)
    for (const [index, endpoint] of slice.endpoints.entries()) {
      const text = endpoint.addresses[0] ?? ''
      const address = findAddress(text)
      if (address === undefined || familyOf(address) !== family) continue
      const { ready, serving, terminating } = endpoint.conditions ?? {}
      offers.push({
        address,
        port: target,
        node: endpoint.nodeName,
        zone: endpoint.zone,
        ready: ready ?? true,
        serving: serving ?? true,
        terminating: terminating ?? false,
        hints: endpoint.hints,
        because: { object, field: `endpoints[${index}]`, value: text },
      })
    }
  }
  return offers
}

/** The number that a Service port has in a slice: they are matched by name and protocol. */
function findSlicePort(slice: EndpointSlice, port: ServicePort): number | undefined {
  const found = slice.ports?.find(
    (one) => (one.name ?? '') === (port.name ?? '') && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
  )
  return found?.port ?? undefined
}

function transportOf(protocol: ServicePort['protocol']): Transport {
  return protocol === 'UDP' ? 'udp' : protocol === 'SCTP' ? 'sctp' : 'tcp'
}

function sliceObject(slice: EndpointSlice): string {
  return `endpointslice/${keyOf(slice)}`
}

function sliceFindings(slice: EndpointSlice): Finding[] {
  const object = sliceObject(slice)
  if (slice.addressType === 'FQDN') {
    const says = 'addressType FQDN is not served: a packet needs an address'
    return [{ code: 'SliceOfNames', object, field: 'addressType', says, try: 'use a Service of type ExternalName' }]
  }
  const family = slice.addressType === 'IPv6' ? 6 : 4
  // One finding per slice is enough to be found, and bounds what a broken controller can make.
  const at = slice.endpoints.findIndex(({ addresses }) => {
    const address = findAddress(addresses[0] ?? '')
    return address === undefined || familyOf(address) !== family
  })
  if (at < 0) return []
  return [
    {
      code: 'BrokenEndpointAddress',
      object,
      field: `endpoints[${at}].addresses[0]`,
      says: `"${slice.endpoints[at]?.addresses[0] ?? ''}" is not an ${slice.addressType} address; the endpoint is left out`,
      try: `write an ${slice.addressType} address in canonical form`,
    },
  ]
}

/** A port for which no slice has a number although there are endpoints: most often a name that no container port has. */
function unmatchedPorts(service: Service, object: string, slices: readonly EndpointSlice[]): Finding[] {
  const filled = slices.filter((slice) => slice.endpoints.length > 0)
  if (filled.length === 0) return []
  return (service.spec.ports ?? []).flatMap((port, index) => {
    if (filled.some((slice) => findSlicePort(slice, port) !== undefined)) return []
    const wanted = `${port.name === undefined || port.name === '' ? 'an unnamed port' : `port "${port.name}"`} of ${port.protocol ?? 'TCP'}`
    return [
      {
        code: 'UnmatchedPort',
        object,
        field: `spec.ports[${index}].targetPort`,
        says: `${wanted} (targetPort ${port.targetPort ?? port.port}) is in none of the ${filled.length} slices that have endpoints`,
        try: 'make targetPort a number, or the name of a container port of the selected pods',
      },
    ]
  })
}

/** What this Service asks for and does not get yet. */
function limits(service: Service, object: string): Finding[] {
  const findings: Finding[] = []
  const { sessionAffinity, type, externalIPs } = service.spec
  if (sessionAffinity === 'ClientIP') {
    findings.push({
      code: 'SessionAffinityNotServed',
      object,
      field: 'spec.sessionAffinity',
      says: 'ClientIP is treated as None: connections of one client go to any endpoint',
      try: 'do not rely on affinity',
    })
  }
  if (type === 'NodePort' || type === 'LoadBalancer' || (externalIPs?.length ?? 0) > 0) {
    findings.push({
      code: 'OnlyClusterIPServed',
      object,
      field: type === 'NodePort' || type === 'LoadBalancer' ? 'spec.type' : 'spec.externalIPs',
      says: 'only the ClusterIP is served: node ports, load balancers’ and external addresses are not',
      try: 'reach the Service by its ClusterIP',
    })
  }
  return findings
}
