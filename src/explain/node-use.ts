import type { Address, Family } from '../addr/index.ts'
import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import { type Candidate, type Choosing, type Frontend, type ServiceModel, sayUse } from '../services/index.ts'

/** An endpoint as one node uses it. */
export interface EndpointUse {
  readonly address: Address
  readonly port: number
  readonly pod?: string
  readonly node?: string
  /** `chosen: ready`, `passed over: on another node, and the policy is Local` */
  readonly says: string
  readonly because: Because
}

/** What one node does with connections that come one way. */
export interface Way {
  /** `ClusterIP`, `NodePort from outside`, … all with the same choice. */
  readonly via: readonly string[]
  readonly family: Family
  /** `80/tcp` */
  readonly port: string
  readonly outcome: 'balance' | 'reject' | 'drop'
  /** What becomes of connections where nothing is chosen. */
  readonly says: string
  readonly because: Because
  readonly chosen: readonly EndpointUse[]
  readonly unused: readonly EndpointUse[]
}

/** What one node does with a Service. */
export interface NodeUse {
  readonly node: string
  readonly zone: string | undefined
  readonly ways: readonly Way[]
}

const words = {
  'cluster-ip': 'ClusterIP',
  'node-port': 'NodePort',
  'load-balancer-ip': 'load balancer',
  'external-ip': 'external IP',
} as const

/** The endpoints that a node uses on each way in, and why it does not use the others. */
export function nodeUse(snapshot: Snapshot, node: string, model: ServiceModel): NodeUse {
  const ways = new Map<string, Way>()
  const servicePort = portOf(snapshot, model)
  for (const frontend of model.frontends) {
    const split = frontend.inside !== undefined
    add(frontend, split ? `${words[frontend.kind]} from outside` : words[frontend.kind])
    if (frontend.inside !== undefined) add(frontend, `${words[frontend.kind]} from inside`, frontend.inside)
  }
  const zone = snapshot.nodes.get(node)?.metadata.labels?.['topology.kubernetes.io/zone']
  return { node, zone, ways: [...ways.values()] }

  function add(frontend: Frontend, via: string, choosing: Choosing = frontend): void {
    const way = wayOf(snapshot, frontend.family, servicePort(frontend), choosing)
    const id = JSON.stringify([way.family, way.port, way.outcome, way.chosen, way.unused])
    const known = ways.get(id)
    const all = new Set([...(known?.via ?? []), via])
    ways.set(id, { ...(known ?? way), via: [...all] })
  }
}

/** The Service port behind a frontend: a node port has another number. */
function portOf(snapshot: Snapshot, { key }: ServiceModel): (frontend: Frontend) => string {
  const ports = snapshot.services.get(key)?.spec.ports ?? []
  return ({ port, portName, protocol }) => {
    const known = ports.find(
      (one) => (one.name ?? '') === portName && (one.protocol ?? 'TCP').toLowerCase() === protocol,
    )
    return `${known?.port ?? port}/${protocol}`
  }
}

function wayOf(snapshot: Snapshot, family: Family, port: string, { outcome, candidates }: Choosing): Way {
  const uses = candidates.map((one) => ({ one, use: useOf(snapshot, one) }))
  return {
    via: [],
    family,
    port,
    outcome: outcome.kind,
    says: endings[outcome.kind],
    because: outcome.because,
    chosen: uses.filter(({ one }) => one.use.kind === 'chosen').map(({ use }) => use),
    unused: uses.filter(({ one }) => one.use.kind === 'passed-over').map(({ use }) => use),
  }
}

const endings = {
  balance: '',
  reject: 'no endpoint serves this port, refused with ICMP port unreachable',
  drop: 'the policy is Local and only other nodes have endpoints, dropped without an answer',
} as const

function useOf(snapshot: Snapshot, { address, port, node, use, because }: Candidate): EndpointUse {
  const pod = snapshot.findPod(address)
  return {
    address,
    port,
    ...(pod === undefined ? {} : { pod: keyOf(pod) }),
    ...(node === undefined ? {} : { node }),
    says: sayUse(use),
    because,
  }
}
