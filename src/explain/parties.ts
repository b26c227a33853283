import type { Snapshot } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import {
  type Analysis,
  type Grant,
  type GrantPeer,
  grantBetween,
  grantOf,
  type Kin,
  nothingGranted,
  policyNode,
  uniteGrants,
} from '../policies/index.ts'
import type { Setting } from './setting.ts'

/** Whoever opens and takes connections and is one to all policies. */
export interface Party {
  /** `deployment/shop/web`, or `12 workloads of shop, as deployment/shop/web`. */
  readonly name: string
  /** The workloads that it stands for. */
  readonly members: readonly string[]
  /** Pods of their node's network count as the node. */
  readonly end: Kin | { readonly nodes: readonly Node[] }
}

/** So many pairs at most are told one by one; beyond, workloads of a namespace that no policy tells apart are one party. */
const mostNames = 150

/** Everybody of a setting, by what policies tell apart. Workloads whose pods are not all alike are told by their pods. */
export function partiesOf(
  { snapshot, workloadOf }: Pick<Setting, 'snapshot' | 'workloadOf'>,
  analysis: Analysis,
  grouping = true,
): readonly Party[] {
  const nameOf = (pod: string): string => workloadOf.get(pod) ?? `pod/${pod}`
  const kinsOf = new Map<string, number>()
  const named = analysis.kin.map((kin) => ({ kin, pods: Map.groupBy(kin.pods, nameOf) }))
  for (const { pods } of named) for (const name of pods.keys()) kinsOf.set(name, (kinsOf.get(name) ?? 0) + 1)
  const single = named.flatMap(({ kin, pods }) =>
    [...pods].map(([name, own]) => ({ kin, name: kinsOf.get(name) === 1 ? name : partOf(name, own), members: [name] })),
  )
  const parties =
    !grouping || single.length <= mostNames ? single : named.flatMap(({ kin, pods }) => groups(kin, pods, kinsOf))
  const sorted = parties.map(({ kin, name, members }): Party => ({ name, members, end: kin }))
  return [...sorted, ...hosts(snapshot, nameOf)].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function groups(kin: Kin, pods: ReadonlyMap<string, readonly string[]>, kinsOf: ReadonlyMap<string, number>) {
  const byNamespace = Map.groupBy(pods.keys(), (name) => name.split('/')[1] ?? '')
  return [...byNamespace].map(([namespace, names]) => {
    const [first = ''] = names
    const one = kinsOf.get(first) === 1 ? first : partOf(first, pods.get(first) ?? [])
    return {
      kin,
      members: names,
      name: names.length === 1 ? one : `${names.length} workloads of ${namespace}, as ${one}`,
    }
  })
}

function partOf(name: string, pods: readonly string[]): string {
  const [first = ''] = pods.toSorted()
  return pods.length === 1 ? `pod/${first}` : `${name} (${pods.length} pods, as pod/${first})`
}

/** Pods that share their node's network. */
function hosts({ pods, nodes }: Snapshot, nameOf: (pod: string) => string): readonly Party[] {
  const nodesOf = new Map<string, Set<Node>>()
  for (const [key, { spec, status }] of pods) {
    const node = spec.hostNetwork === true ? nodes.get(spec.nodeName ?? '') : undefined
    if (node === undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue
    const name = nameOf(key)
    nodesOf.set(name, (nodesOf.get(name) ?? new Set()).add(node))
  }
  return [...nodesOf].map(([name, own]) => ({ name, members: [name], end: { nodes: [...own] } }))
}

/** The ports on which one party may reach another, by either family and from or to any node of a party of nodes. */
export function grantOfParties(from: Party, to: Party, analysis: Analysis): Grant {
  if (!('nodes' in from.end) && !('nodes' in to.end)) return grantBetween(from.end, to.end)
  if ('nodes' in from.end && 'nodes' in to.end) return { kind: 'all' }
  if ('nodes' in to.end) {
    const { egress } = from.end as Kin
    return unite(peersOf(to.end.nodes, analysis).map((peer) => grantOf(egress, peer, [])))
  }
  const { ingress, ports } = to.end
  return unite(
    peersOf((from.end as { nodes: readonly Node[] }).nodes, analysis).map((peer) => grantOf(ingress, peer, ports)),
  )
}

function unite(grants: readonly Grant[]): Grant {
  return grants.reduce(uniteGrants, nothingGranted)
}

/** Nodes by their addresses, one of those that no rule tells apart. */
function peersOf(nodes: readonly Node[], { signOf }: Analysis): readonly GrantPeer[] {
  const peers = nodes.flatMap((node) => {
    const { labels, addresses } = policyNode(node)
    return addresses.map((address): GrantPeer => ({ selections: undefined, address, node: labels }))
  })
  return [...new Map(peers.map((peer) => [signOf(peer), peer])).values()]
}
