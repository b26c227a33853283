import type { Address } from '../addr/index.ts'
import { type Finding, keyOf, LiveSnapshot, type Snapshot } from '../cluster/index.ts'
import type { LabelSelector, NetworkPolicy, Pod } from '../objects/index.ts'
import { explainPolicies } from '../policies/index.ts'
import type { Transport } from './answer.ts'
import { foldAddresses } from './fold-addresses.ts'
import { selectorsOf } from './own-labels.ts'

/** A connection that was seen, after the choice of an endpoint. */
export interface SeenFlow {
  readonly source: Address
  readonly destination: Address
  readonly protocol: Transport | 'icmp'
  readonly port: number
}

/** Policies for the pods of one namespace under which everything that was seen goes on, and nothing else. */
export interface Suggestion {
  readonly policies: readonly NetworkPolicy[]
  /** What could not be put into a policy. */
  readonly findings: readonly Finding[]
  /** Seen flows that the policies would deny all the same; it is a mistake of Plumb's when findings do not explain them. */
  readonly denied: readonly SeenFlow[]
}

type Peer = NonNullable<NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]['from']>[number]
type Direction = 'ingress' | 'egress'

/** Ports by peer: both as text by which equal ones are found. */
type Wanted = Map<string, { readonly peer: Peer | { readonly address: Address }; readonly ports: Set<string> }>

/**
 * The least NetworkPolicies by labels of workloads: one for the pods of a namespace that have equal labels, with a rule for each set of
 * peers that share ports. What a node sends to its own pods needs no rule.
 */
export function suggest(snapshot: Snapshot, namespace: string, flows: readonly SeenFlow[]): Suggestion {
  const findings: Finding[] = []
  const selectors = selectorsOf(snapshot)
  const subjects = new Map<string, { readonly pods: Pod[]; readonly wanted: Record<Direction, Wanted> }>()
  for (const pod of snapshot.pods.values()) {
    if ((pod.metadata.namespace ?? 'default') !== namespace || pod.spec.hostNetwork === true) continue
    const selector = selectors(pod)
    if (selector === undefined) findings.push(withoutLabels(pod))
    else {
      const known = subjects.get(JSON.stringify(selector))
      if (known !== undefined) known.pods.push(pod)
      else subjects.set(JSON.stringify(selector), { pods: [pod], wanted: { ingress: new Map(), egress: new Map() } })
    }
  }
  const context: Context = { snapshot, namespace, selectors, findings }
  for (const flow of flows) {
    if (isOwnNode(snapshot, flow)) continue
    for (const direction of ['egress', 'ingress'] as const) {
      const [own, other] = direction === 'egress' ? [flow.source, flow.destination] : [flow.destination, flow.source]
      const pod = snapshot.findPod(own)
      const selector = pod === undefined || pod.metadata.namespace !== namespace ? undefined : selectors(pod)
      const subject = selector && subjects.get(JSON.stringify(selector))
      if (subject !== undefined) want(context, subject.wanted[direction], other, flow)
    }
  }
  const nameOf = naming()
  const policies = [...subjects].map(([text, { pods, wanted }]): NetworkPolicy => {
    const selector = JSON.parse(text) as LabelSelector
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: nameOf(pods), namespace },
      spec: {
        podSelector: selector,
        policyTypes: ['Ingress', 'Egress'],
        ingress: rulesOf(wanted.ingress).map(({ peers, ports }) => ({ from: peers, ports })),
        egress: rulesOf(wanted.egress).map(({ peers, ports }) => ({ to: peers, ports })),
      },
    }
  })
  return { policies, findings, denied: deniedUnder(snapshot, namespace, policies, flows) }
}

interface Context {
  readonly snapshot: Snapshot
  readonly namespace: string
  readonly selectors: (pod: Pod) => LabelSelector | undefined
  readonly findings: Finding[]
}

function want(context: Context, wanted: Wanted, other: Address, { protocol, port }: SeenFlow): void {
  const { snapshot, namespace, selectors, findings } = context
  if (protocol === 'icmp') {
    const says = `ICMP with ${other} was seen, and a NetworkPolicy allows it only together with every port`
    const finding = {
      code: 'IcmpSeen',
      object: `namespace/${namespace}`,
      field: '',
      says,
      try: 'allow it by hand if it is needed',
    }
    if (!findings.some((one) => one.says === says)) findings.push(finding)
    return
  }
  const pod = snapshot.findPod(other)
  const peer = pod === undefined ? { address: other } : podPeer(pod, namespace, selectors(pod))
  const key = JSON.stringify(peer)
  const known = wanted.get(key) ?? { peer, ports: new Set() }
  const word = protocol.toUpperCase()
  // DNS answers that are too long come again over TCP.
  const protocols = port === 53 && protocol !== 'sctp' ? ['UDP', 'TCP'] : [word]
  for (const one of protocols) known.ports.add(`${String(port).padStart(5, '0')} ${one}`)
  wanted.set(key, known)
}

function podPeer(pod: Pod, namespace: string, selector: LabelSelector | undefined): Peer {
  const own = pod.metadata.namespace ?? 'default'
  const podSelector = selector ?? {}
  if (own === namespace) return { podSelector }
  return { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': own } }, podSelector }
}

interface Rule {
  readonly peers: Peer[]
  readonly ports: { readonly protocol: 'TCP' | 'UDP' | 'SCTP'; readonly port: number }[]
}

/** Peers with the same ports in one rule; addresses as prefixes. */
function rulesOf(wanted: Wanted): readonly Rule[] {
  const byPorts = new Map<string, { peers: Peer[]; addresses: Address[] }>()
  for (const [, { peer, ports }] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = [...ports].sort().join()
    const rule = byPorts.get(key) ?? { peers: [], addresses: [] }
    if ('address' in peer) rule.addresses.push(peer.address)
    else rule.peers.push(peer)
    byPorts.set(key, rule)
  }
  return [...byPorts].sort().map(([key, { peers, addresses }]) => ({
    peers: [...peers, ...foldAddresses(addresses).map((cidr) => ({ ipBlock: { cidr } }))],
    ports: key.split(',').map((text) => {
      const [port, protocol] = text.split(' ')
      return { protocol: protocol as 'TCP', port: Number(port) }
    }),
  }))
}

/** The suggestion held against the model, in the place of whatever policies the namespace has now. */
function deniedUnder(
  snapshot: Snapshot,
  namespace: string,
  policies: readonly NetworkPolicy[],
  flows: readonly SeenFlow[],
): readonly SeenFlow[] {
  const trial = new LiveSnapshot()
  for (const collection of ['nodes', 'pods', 'namespaces'] as const) {
    for (const [key, object] of snapshot[collection]) trial.put(collection, key, object as never)
  }
  for (const policy of policies) trial.put('policies', keyOf(policy), policy)
  const isOurs = (address: Address): boolean => snapshot.findPod(address)?.metadata.namespace === namespace
  return flows.filter((flow) => {
    if (isOwnNode(snapshot, flow)) return false
    const { sides } = explainPolicies(trial, flow)
    return sides.some(({ address, verdict }) => verdict.kind === 'deny' && isOurs(address))
  })
}

/** A node always reaches its own pods, and they it. */
function isOwnNode(snapshot: Snapshot, { source, destination }: SeenFlow): boolean {
  return [
    [source, destination],
    [destination, source],
  ].some(([own, other]) => {
    const node = snapshot.nodes.get(snapshot.findPod(own!)?.spec.nodeName ?? '')
    return node?.status?.addresses?.some(({ address }) => address === other) ?? false
  })
}

function withoutLabels(pod: Pod): Finding {
  const object = `pod/${keyOf(pod)}`
  const says = 'the pod has no labels of its own, so no policy can mean it alone; it is left out'
  return { code: 'NoLabels', object, field: 'metadata.labels', says, try: 'give it a label, as app' }
}

/** Names by the label that tells a workload, each once: the second `suggested-web` is `suggested-web-2`. */
function naming(): (pods: readonly Pod[]) => string {
  const used = new Set<string>()
  return (pods) => {
    const { labels = {} } = pods[0]!.metadata
    const word = labels['app.kubernetes.io/name'] ?? labels.app ?? Object.values(labels)[0] ?? ''
    const legal = word.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
    const name = `suggested-${legal.replaceAll(/^-+|-+$/g, '') || 'pods'}`
    let free = name
    for (let at = 2; used.has(free); at++) free = `${name}-${at}`
    used.add(free)
    return free
  }
}
