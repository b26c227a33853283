import { type Address, type Family, familyOf, parseAddress } from '../addr/index.ts'
import { keyOf, type Snapshot, splitKey } from '../cluster/index.ts'
import { asksClusterDns } from '../dns/index.ts'
import { selects } from '../endpoints/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import type { Place, Probe, Rung, Speech } from './probe.ts'
import { type Backend, type Front, frontsOf, type Subject } from './subject.ts'

/** Who asks, and from where. */
export interface Stand {
  /** Namespace and name of the client pod. */
  readonly client: string | undefined
  /** Whether the client was asked for by name: only then its own resolver counts. */
  readonly named?: boolean
  /** Addresses of the client outside; none where there is no such place. */
  readonly outside: readonly Address[]
  readonly clusterDomain: string
}

const maxBackends = 4
const maxTries = 12

/** Every probe of the ladder for one subject. They do not depend on one another and may run at once. */
export function ladder(snapshot: Snapshot, subject: Subject, stand: Stand): readonly Probe[] {
  const fronts = frontsOf(snapshot, subject)
  const backends = sample(subject.backends)
  const probes = [
    ...backends.flatMap((backend) => toBackend(snapshot, subject, backend, stand)),
    ...byName(snapshot, subject, stand),
    ...fronts.flatMap((front) => toFront(snapshot, subject, front, stand)),
    ...hairpins(subject, fronts, backends),
  ]
  return [...new Map(probes.map((one) => [one.id, one])).values()]
}

/** One pod of each node first, ready ones before others, both addresses of a pod. Who is on its way out while others are ready is nobody's trouble. */
function sample(backends: readonly Backend[]): readonly Backend[] {
  const pods = new Map<string, Backend[]>()
  const stay = backends.some(({ ready }) => ready)
    ? backends.filter(({ ready, leaving }) => ready || !leaving)
    : backends
  for (const one of stay) {
    const id = one.pod === undefined ? one.address : keyOf(one.pod)
    pods.set(id, [...(pods.get(id) ?? []), one])
  }
  const seen = new Map<string, number>()
  const ranked = [...pods.values()].map((some) => {
    const node = some[0]?.node ?? ''
    const nth = seen.get(node) ?? 0
    seen.set(node, nth + 1)
    // An unready one is what a patient may be suffering from, so at least one is looked at.
    return { some, rank: nth }
  })
  const chosen = ranked.sort((a, b) => a.rank - b.rank).slice(0, maxBackends)
  const sick = ranked.find(({ some }) => some[0]?.ready === false)
  if (sick !== undefined && !chosen.includes(sick)) chosen.push(sick)
  return chosen.flatMap(({ some }) => some)
}

function speechTo({ speech, path }: Subject, host: string): Speech {
  switch (speech) {
    case 'http':
      return { kind: 'http', host, path }
    case 'https':
      return { kind: 'https', host, path, sni: '' }
    case 'dns':
      return { kind: 'dns', name: 'kubernetes.default.svc.cluster.local', type: 'A' }
    case 'connect':
    case 'h2c':
    case 'datagram':
      return { kind: speech }
    default:
      return speech satisfies never
  }
}

function toBackend(snapshot: Snapshot, subject: Subject, backend: Backend, stand: Stand): Probe[] {
  const { address, port, pod, node } = backend
  const probe = probing(subject, address, port, pod === undefined ? address : `pod/${keyOf(pod)}`)
  const other = [...snapshot.nodes.keys()].sort().find((name) => name !== node)
  const family = familyOf(address)
  const inPod: Probe[] =
    pod === undefined || pod.spec.hostNetwork === true
      ? []
      : [probe('loopback', placeOf(pod), { address: loopback(family) }), probe('pod', placeOf(pod))]
  return [
    ...inPod,
    ...(node === undefined || !snapshot.nodes.has(node)
      ? []
      : withIdle(probe('own-node', { kind: 'node', name: node }))),
    ...(other === undefined ? [] : withLarge(probe('other-node', { kind: 'node', name: other }))),
    ...(hasFamily(snapshot, stand.client, family) ? withLarge(probe('client-pod', clientPlace(stand.client!))) : []),
  ]
}

/** More than two packets of 1,500 bytes hold, and less than any server's limit of a header. */
const largeBytes = 3500

/** The same with a request that does not fit into one packet, where HTTP is spoken. */
function withLarge(probe: Probe): Probe[] {
  if (probe.speech.kind !== 'http') return [probe]
  return [probe, { ...probe, id: `${probe.id} large`, speech: { ...probe.speech, padding: largeBytes } }]
}

/** As long as the ladder has time for; LBs keep idle connections for seconds to minutes. */
const idleMs = 1200

/** The same twice on one connection, which is idle in between, where HTTP is spoken. */
function withIdle(probe: Probe): Probe[] {
  if (probe.speech.kind !== 'http') return [probe]
  return [probe, { ...probe, id: `${probe.id} idle`, speech: { ...probe.speech, idleMs } }]
}

function probing(subject: Subject, address: Address, port: number, target?: string) {
  return (rung: Rung, from: Place, change: Partial<Probe> = {}): Probe => {
    const to = change.address ?? address
    const place =
      from.kind === 'outside' ? 'outside' : from.kind === 'node' ? from.name : `${from.namespace}/${from.name}`
    return {
      id: `${rung} ${place} ${to} ${port} ${subject.transport}`,
      rung,
      from,
      address,
      port,
      transport: subject.transport,
      speech: speechTo(subject, hostOf(subject)),
      tries: 1,
      ...(target === undefined ? {} : { target }),
      ...change,
    }
  }
}

function hostOf({ service }: Subject): string {
  const { name, namespace = '' } = service.metadata
  return `${name}.${namespace}`
}

function toFront(snapshot: Snapshot, subject: Subject, front: Front, stand: Stand): Probe[] {
  const { kind, address, port, node } = front
  const family = familyOf(address)
  const ready = subject.backends.filter((one) => one.ready && familyOf(one.address) === family).length
  const tries = subject.transport === 'tcp' ? Math.min(maxTries, Math.max(1, ready * 2)) : 1
  const probe = probing(subject, address, port)
  const outside = stand.outside.some((one) => familyOf(one) === family)
  switch (kind) {
    case 'cluster-ip': {
      const nodes = nodesToAsk(snapshot, subject).map((name) => probe('cluster-ip', { kind: 'node', name }))
      const client = hasFamily(snapshot, stand.client, family)
        ? [probe('cluster-ip', clientPlace(stand.client!), { tries })]
        : []
      return [...client, ...nodes]
    }
    case 'node-port': {
      if (node === undefined || !nodesToAsk(snapshot, subject).includes(node)) return []
      const inside: Place = { kind: 'node', name: node }
      return [
        outside
          ? probe('node-port', { kind: 'outside' }, { target: `node/${node}` })
          : probe('node-port', inside, { target: `node/${node}` }),
      ]
    }
    case 'external-ip':
    case 'load-balancer-ip':
      return outside ? [probe('external', { kind: 'outside' }, { tries: Math.min(tries, 4) })] : []
    default:
      return kind satisfies never
  }
}

/** A few nodes with endpoints and a few without: they may do different things. */
function nodesToAsk(snapshot: Snapshot, { backends }: Subject): readonly string[] {
  const own = new Set(backends.flatMap(({ node, ready }) => (ready && node !== undefined ? [node] : [])))
  const names = [...snapshot.nodes.keys()].sort()
  return [...names.filter((name) => own.has(name)).slice(0, 2), ...names.filter((name) => !own.has(name)).slice(0, 2)]
}

/** An endpoint that asks its own Service until it has met itself. */
function hairpins(subject: Subject, fronts: readonly Front[], backends: readonly Backend[]): Probe[] {
  const ready = backends.filter((one) => one.ready && one.pod !== undefined && one.pod.spec.hostNetwork !== true)
  return fronts
    .filter(({ kind }) => kind === 'cluster-ip' && subject.transport === 'tcp')
    .flatMap(({ address, port }) => {
      const first = ready.find((one) => familyOf(one.address) === familyOf(address))
      if (first?.pod === undefined) return []
      const same = subject.backends.filter((one) => one.ready && familyOf(one.address) === familyOf(address)).length
      return [probing(subject, address, port)('hairpin', placeOf(first.pod), { tries: Math.min(maxTries, same * 3) })]
    })
}

/** The Service's names as the client may write them: short, with the namespace, in full. */
function byName(snapshot: Snapshot, { service }: Subject, { client, clusterDomain }: Stand): Probe[] {
  const pod = client === undefined ? undefined : snapshot.pods.get(client)
  const dns = snapshot.services.get('kube-system/kube-dns')?.spec.clusterIP
  if (pod === undefined || dns === undefined || dns === 'None' || !asksClusterDns(pod)) return []
  if (!hasFamily(snapshot, client, dns.includes(':') ? 6 : 4)) return []
  const { name, namespace = '' } = service.metadata
  const full = `${name}.${namespace}.svc.${clusterDomain}`
  const type = (service.spec.ipFamilies ?? ['IPv4'])[0] === 'IPv6' ? 'AAAA' : 'A'
  return [
    {
      id: `name ${client} ${full}`,
      rung: 'name',
      from: clientPlace(client!),
      address: parseAddress(dns),
      port: 53,
      transport: 'udp',
      speech: { kind: 'dns', name: full, type },
      tries: 1,
      target: full,
    },
  ]
}

/** A pod that may stand for clients: one that is ready and serves nobody, of the Service's namespace first. */
export function findClient(snapshot: Snapshot, service: Service | undefined): string | undefined {
  const own = service?.metadata.namespace ?? 'default'
  const fits = (pod: Pod): boolean =>
    pod.spec.hostNetwork !== true &&
    (pod.status?.podIPs ?? []).length > 0 &&
    pod.status?.phase === 'Running' &&
    pod.metadata.deletionTimestamp === undefined
  const services = [...snapshot.services.values()]
  // One that nobody asks is a client by trade.
  const serves = (pod: Pod): boolean => services.some((service) => selects(service, pod))
  const rank = (pod: Pod): number =>
    (serves(pod) ? 1 : 0) +
    (pod.metadata.namespace === own ? 0 : 4) +
    (service !== undefined && selects(service, pod) ? 8 : 0) +
    (pod.metadata.namespace === 'kube-system' ? 2 : 0)
  const found = [...snapshot.pods.values()]
    .filter(fits)
    .sort((a, b) => rank(a) - rank(b) || (keyOf(a) < keyOf(b) ? -1 : 1))
  return found[0] === undefined ? undefined : keyOf(found[0])
}

function hasFamily(snapshot: Snapshot, pod: string | undefined, family: Family): boolean {
  const found = pod === undefined ? undefined : snapshot.pods.get(pod)
  if (found === undefined) return false
  const node = found.spec.nodeName === undefined ? undefined : snapshot.nodes.get(found.spec.nodeName)
  if (found.spec.hostNetwork === true) return node !== undefined && nodeAddresses(node)[family] !== undefined
  return (found.status?.podIPs ?? []).some(({ ip }) => ip.includes(':') === (family === 6))
}

function clientPlace(key: string): Place {
  const { namespace, name } = splitKey(key)
  return { kind: 'pod', namespace, name }
}

function placeOf(pod: Pod): Place {
  return { kind: 'pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name }
}

function loopback(family: Family): Address {
  return parseAddress(family === 4 ? '127.0.0.1' : '::1')
}
