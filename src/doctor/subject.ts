import { type Address, findAddress } from '../addr/index.ts'
import { keyOf, type Snapshot } from '../cluster/index.ts'
import type { Pod, Service, ServicePort } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import { compileService, type Transport } from '../services/index.ts'

/** An endpoint that a Service port lists, ready or not. */
export interface Backend {
  readonly address: Address
  readonly port: number
  readonly pod: Pod | undefined
  readonly node: string | undefined
  readonly ready: boolean
  /** Its pod is on its way out. */
  readonly leaving: boolean
}

/** One port of one Service, with everything that stands behind it. */
export interface Subject {
  readonly service: Service
  readonly port: ServicePort
  readonly transport: Transport
  readonly speech: 'connect' | 'http' | 'https' | 'h2c' | 'dns' | 'datagram'
  /** What HTTP probes ask for. */
  readonly path: string
  readonly backends: readonly Backend[]
}

/** What a command says beyond the objects. */
export interface SubjectOptions {
  readonly port?: number | string
  readonly path?: string
}

/** The Service's ports that are asked about; all unless one is named. A text says what is wrong. */
export function subjectsOf(snapshot: Snapshot, service: Service, options: SubjectOptions): readonly Subject[] | string {
  const ports = service.spec.ports ?? []
  const { port: wanted } = options
  const fitting = ports.filter(
    ({ name, port }) => wanted === undefined || name === wanted || port === wanted || String(port) === wanted,
  )
  if (fitting.length === 0) {
    const there = ports.map(
      ({ name, port, protocol = 'TCP' }) => `${port}/${protocol.toLowerCase()}${name ? ` (${name})` : ''}`,
    )
    return ports.length === 0
      ? `service/${keyOf(service)} has no ports`
      : `service/${keyOf(service)} has no port ${wanted}; it has ${there.join(', ')}`
  }
  return fitting.map((port) => subjectOf(snapshot, service, port, options))
}

function subjectOf(snapshot: Snapshot, service: Service, port: ServicePort, { path }: SubjectOptions): Subject {
  const backends = backendsOf(snapshot, service, port)
  const transport = (port.protocol ?? 'TCP').toLowerCase() as Transport
  const pods = backends.flatMap(({ pod }) => pod ?? [])
  const probe = probeOf(pods[0], backends[0]?.port)
  return {
    service,
    port,
    transport,
    speech: transport === 'tcp' ? speechOf(port, probe?.scheme) : port.port === 53 ? 'dns' : 'datagram',
    path: path ?? probe?.path ?? '/',
    backends,
  }
}

/** The kubelet's own HTTP probe of a port tells what the application answers to. */
function probeOf(pod: Pod | undefined, port: number | undefined): { scheme: string; path: string } | undefined {
  for (const { readinessProbe, ports = [] } of pod?.spec.containers ?? []) {
    const get = readinessProbe?.httpGet
    const number =
      typeof get?.port === 'string' ? ports.find(({ name }) => name === get.port)?.containerPort : get?.port
    if (get !== undefined && number === port) return { scheme: get.scheme ?? 'HTTP', path: get.path ?? '/' }
  }
  return undefined
}

const wellKnown: Readonly<Record<number, Subject['speech']>> = {
  80: 'http',
  8000: 'http',
  8080: 'http',
  443: 'https',
  8443: 'https',
}

/** What a port speaks, by `appProtocol` (KEP-3726), its name, the kubelet's probe, and last its number. */
function speechOf({ appProtocol, name = '', port }: ServicePort, scheme: string | undefined): Subject['speech'] {
  const word = (appProtocol ?? '').replace(/^kubernetes\.io\//, '').toLowerCase() || name.split('-')[0] || ''
  if (['h2c', 'grpc', 'http2'].includes(word)) return 'h2c'
  if (['http', 'ws'].includes(word)) return 'http'
  if (['https', 'wss'].includes(word)) return 'https'
  if (scheme !== undefined) return scheme === 'HTTPS' ? 'https' : 'http'
  return name === '' ? (wellKnown[port] ?? 'connect') : 'connect'
}

/** Every address that the slices list for the port. Headless Services too: their clients go there without a proxy. */
function backendsOf(snapshot: Snapshot, service: Service, port: ServicePort): readonly Backend[] {
  const name = port.name ?? ''
  const protocol = port.protocol ?? 'TCP'
  const found = new Map<string, Backend>()
  for (const slice of snapshot.slicesOf(keyOf(service))) {
    const number = slice.ports?.find((one) => (one.name ?? '') === name && (one.protocol ?? 'TCP') === protocol)?.port
    if (number === undefined) continue
    for (const { addresses, conditions, nodeName, targetRef } of slice.endpoints) {
      const address = findAddress(addresses[0] ?? '')
      if (address === undefined) continue
      // Two pods may have one address: which one is meant, the slice tells.
      const named = targetRef?.kind === 'Pod' && snapshot.pods.get(`${targetRef.namespace}/${targetRef.name}`)
      const pod = named || snapshot.findPod(address)
      const node = nodeName ?? pod?.spec.nodeName
      const [ready, leaving] = [conditions?.ready !== false, conditions?.terminating === true]
      found.set(`${address} ${number}`, { address, port: number, pod, node, ready, leaving })
    }
  }
  return [...found.values()]
}

/** An address and port at which clients ask for the subject, and where it is. */
export interface Front {
  readonly kind: 'cluster-ip' | 'node-port' | 'load-balancer-ip' | 'external-ip'
  readonly address: Address
  readonly port: number
  readonly node?: string
}

/** All fronts of the subject: those of node ports on every node. */
export function frontsOf(snapshot: Snapshot, { service, port, transport }: Subject): readonly Front[] {
  const fronts = new Map<string, Front>()
  for (const [name, node] of snapshot.nodes) {
    const addresses = Object.values(nodeAddresses(node))
    const view = { name, zone: undefined, addresses, nodePortAddresses: addresses }
    const { frontends } = compileService(service, snapshot.slicesOf(keyOf(service)), view)
    for (const one of frontends) {
      if (one.portName !== (port.name ?? '') || one.protocol !== transport) continue
      const { kind, address } = one
      fronts.set(`${address} ${one.port}`, {
        kind,
        address,
        port: one.port,
        ...(kind === 'node-port' ? { node: name } : {}),
      })
    }
  }
  return [...fronts.values()]
}
