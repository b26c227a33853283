import type { Address } from '../addr/index.ts'
import { type Because, type Finding, keyOf, type Snapshot } from '../cluster/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { compileService, type Frontend, type FrontendKind, type ServiceModel } from '../services/index.ts'
import { blameNoEndpoints } from './blame.ts'
import { viewOf } from './entry.ts'
import { type NodeUse, nodeUse } from './node-use.ts'
import { type SelectedPod, selectedBy } from './selected-pods.ts'

/** An address and port at which a Service answers. */
export interface Entrance {
  readonly kind: FrontendKind
  readonly address: Address
  readonly protocol: string
  readonly port: number
  readonly portName: string
  /** Node ports alone: the node that has the address. */
  readonly node?: string
  /** Load balancers' addresses alone: which node holds it and when it last told so, as far as nodes could be asked. */
  readonly holder?: string
  readonly because: Because
}

/** One EndpointSlice, counted. */
export interface SliceSummary {
  readonly name: string
  readonly addressType: string
  /** `http=8080/tcp` */
  readonly ports: readonly string[]
  readonly endpoints: number
  readonly ready: number
  /** Who keeps it, unless it is the cluster's own controller. */
  readonly managedBy: string | undefined
}

/** How a Service fares as a whole. `ignored` is another's work: headless, ExternalName or another proxy. */
export interface Health {
  readonly kind: 'serves' | 'partly' | 'refuses' | 'ignored'
  readonly says: string
  readonly because: Because
}

/** The whole way in to a Service; `schema` changes when a field changes its meaning. */
export interface WayIn {
  readonly schema: 'plumb.network/show/v1'
  readonly object: string
  readonly type: string
  readonly health: Health
  /** The outermost first. */
  readonly entrances: readonly Entrance[]
  readonly ports: readonly {
    readonly name: string
    readonly port: number
    readonly protocol: string
    readonly target: string
  }[]
  /** `app=web`; undefined where the slices are kept by hand. */
  readonly selector: string | undefined
  readonly pods: readonly SelectedPod[]
  readonly slices: readonly SliceSummary[]
  readonly nodes: readonly NodeUse[]
  readonly findings: readonly Finding[]
}

/** The same with what nodes say of who holds the external addresses. */
export function withHolders(way: WayIn, holders: ReadonlyMap<string, string>): WayIn {
  const entrances = way.entrances.map((one): Entrance => {
    const holder = one.kind === 'load-balancer-ip' ? holders.get(one.address) : undefined
    return holder === undefined ? one : { ...one, holder }
  })
  return { ...way, entrances }
}

const order: readonly FrontendKind[] = ['external-ip', 'load-balancer-ip', 'node-port', 'cluster-ip']

/** Draws the whole way in to a Service out of the objects: every address, every pod and what each node does with it. */
export function wayIn(snapshot: Snapshot, service: Service): WayIn {
  const key = keyOf(service)
  const slices = snapshot.slicesOf(key)
  const models = new Map<string, ServiceModel>()
  for (const [name, node] of [...snapshot.nodes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    models.set(name, compileService(service, slices, viewOf(node)))
  }
  const nodes = [...models].map(([name, model]) => nodeUse(snapshot, name, model))
  const { spec } = service
  const selector = Object.entries(spec.selector ?? {}).map(([label, value]) => `${label}=${value}`)
  return {
    schema: 'plumb.network/show/v1',
    object: `service/${key}`,
    type: spec.type ?? 'ClusterIP',
    health: healthOf(snapshot, service, models, nodes),
    entrances: entrancesOf(models),
    ports: (spec.ports ?? []).map(({ name = '', port, protocol = 'TCP', targetPort = port }) => {
      return { name, port, protocol: protocol.toLowerCase(), target: String(targetPort) }
    }),
    selector: selector.length === 0 ? undefined : selector.join(','),
    pods: selectedBy(snapshot, service),
    slices: slices.map(summarise),
    nodes,
    findings: uniqueFindings([...models.values()].flatMap(({ findings }) => findings)),
  }
}

function healthOf(
  snapshot: Snapshot,
  service: Service,
  models: ReadonlyMap<string, ServiceModel>,
  nodes: readonly NodeUse[],
): Health {
  const key = keyOf(service)
  const object = `service/${key}`
  const subject = models.values().next().value?.subject
  if (subject === undefined) {
    const because = { object: 'node', field: 'metadata.name', value: '' }
    return { kind: 'refuses', says: 'there is no node to serve it', because }
  }
  if (subject.kind === 'ignored') {
    return { kind: 'ignored', says: ignored[subject.reason], because: subject.because }
  }
  const ways = nodes.flatMap(({ node, ways: some }) => some.map((way) => ({ node, way })))
  const bad = ways.filter(({ way }) => way.outcome !== 'balance')
  const pending = pendingAddress(service, object)
  const [first] = bad
  if (first === undefined) {
    if (pending !== undefined) return pending
    const ready = new Set(ways.flatMap(({ way }) => way.chosen.map(({ pod, address }) => pod ?? address))).size
    const says = `${counted(nodes.length, 'node leads', 'nodes lead')} to ${counted(ready, 'endpoint', 'endpoints')}`
    return { kind: 'serves', says, because: subject.because }
  }
  const kind = bad.length === ways.length ? 'refuses' : 'partly'
  if (bad.every(({ way }) => way.outcome === 'reject')) {
    const blame = blameNoEndpoints(snapshot, service, Number.parseInt(first.way.port, 10))
    const says = `refused: ${blame?.says ?? first.way.says}`
    return {
      kind,
      says: kind === 'partly' ? `port ${first.way.port} is ${says}` : says,
      because: blame?.because ?? first.way.because,
    }
  }
  const silent = [...new Set(bad.map(({ node }) => node))]
  const who = silent.length === nodes.length ? 'every node' : silent.join(', ')
  return { kind, says: `${first.way.via.join(', ')} on ${who}: ${first.way.says}`, because: first.way.because }
}

const ignored = {
  'external-name': 'ExternalName: its DNS name is an alias, no node serves it',
  headless: 'headless: its DNS name stands for the pods’ own addresses, no node serves it',
  'other-proxy': 'another proxy serves it (label service.kubernetes.io/service-proxy-name)',
  'no-cluster-ip': 'it has no ClusterIP yet',
} as const

/** A load balancer without an address: everything works but what it is for. */
function pendingAddress({ spec, status }: Service, object: string): Health | undefined {
  if (spec.type !== 'LoadBalancer' || (status?.loadBalancer?.ingress ?? []).length > 0) return undefined
  const { loadBalancerClass } = spec
  const says = `works inside, but has no external address yet: nobody gave it one${loadBalancerClass === undefined ? '' : ` (loadBalancerClass ${loadBalancerClass})`}`
  return { kind: 'partly', says, because: { object, field: 'status.loadBalancer.ingress', value: '' } }
}

/** Node ports of all nodes, and the other addresses once. */
function entrancesOf(models: ReadonlyMap<string, ServiceModel>): Entrance[] {
  const found = new Map<string, Entrance>()
  for (const [node, { frontends }] of models) {
    for (const frontend of frontends) {
      const id = `${frontend.address} ${frontend.protocol} ${frontend.port}`
      if (!found.has(id)) found.set(id, entranceOf(frontend, node))
    }
  }
  return [...found.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

function entranceOf({ kind, address, protocol, port, portName, because }: Frontend, node: string): Entrance {
  return {
    kind,
    address,
    protocol,
    port,
    portName,
    ...(kind === 'node-port' ? { node } : {}),
    because: because.address,
  }
}

function summarise({ metadata, addressType, ports = [], endpoints }: EndpointSlice): SliceSummary {
  const managed = metadata.labels?.['endpointslice.kubernetes.io/managed-by']
  return {
    name: metadata.name,
    addressType,
    ports: ports.map(
      ({ name, port, protocol = 'TCP' }) => `${name ? `${name}=` : ''}${port}/${protocol.toLowerCase()}`,
    ),
    endpoints: endpoints.length,
    ready: endpoints.filter(({ conditions }) => conditions?.ready !== false).length,
    managedBy: managed === 'endpointslice-controller.k8s.io' ? undefined : managed,
  }
}

function uniqueFindings(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((one) => [`${one.code} ${one.object} ${one.field} ${one.says}`, one])).values()]
}

function counted(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`
}
