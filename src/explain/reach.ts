import type { Finding, Snapshot } from '../cluster/index.ts'
import type { NetworkPolicy } from '../objects/index.ts'
import {
  type Analysis,
  analyse,
  auditAnnotation,
  type ClusterPolicyModel,
  clusterModelsIn,
  type Grant,
  grantOf,
  isEmpty,
  nothingGranted,
  subtractGrants,
  uniteGrants,
} from '../policies/index.ts'
import { exitWays } from './exit-ways.ts'
import { exposureTo, strangersOf } from './exposure.ts'
import { externalWays } from './external-ways.ts'
import { beyond, nodePeers } from './outside.ts'
import { grantOfParties, type Party, partiesOf } from './parties.ts'
import { routeWays } from './route-ways.ts'
import { serviceWays } from './service-ways.ts'
import type { Setting } from './setting.ts'
import type { Way } from './way.ts'

/** Who may open connections to whom, on which ports. */
export interface Edge {
  /** `deployment/shop/web`, or `outside 203.0.113.0/24`. */
  readonly from: string
  readonly to: string
  readonly grant: Grant
}

/** What can be reached in a setting. */
export interface Reach {
  readonly schema: 'plumb.network/reach/v1'
  readonly subjects: readonly string[]
  /** The workloads of subjects that stand for several. */
  readonly groups: Readonly<Record<string, readonly string[]>>
  /** By policies alone, after the choice of an endpoint: names, Services and routes are taken as working. */
  readonly edges: readonly Edge[]
  /** Of the edges what would go if audited policies were enforced. */
  readonly audited: readonly Edge[]
  /** Services, external addresses, routes, certificates and exits. */
  readonly ways: readonly Way[]
  readonly assumptions: readonly string[]
  readonly findings: readonly Finding[]
}

/** Computes it by classes of pods that nothing tells apart, not by pairs of pods. */
export function reach(setting: Setting): Reach {
  const { snapshot, gateways, assumptions } = setting
  const policies = policiesOf(snapshot)
  const analysis = analyseWith(snapshot, policies)
  const parties = partiesOf(setting, analysis)
  const edges = edgesOf(snapshot, analysis, parties, policies.wide)
  const grouped = parties.filter(({ members }) => members.length > 1)
  return {
    schema: 'plumb.network/reach/v1',
    subjects: parties.map(({ name }) => name),
    groups: Object.fromEntries(grouped.map(({ name, members }) => [name, members])),
    edges,
    audited: auditedIn(setting, policies, edges),
    ways: waysOf(setting, analysis, parties),
    assumptions,
    findings: [...analysis.findings, ...gateways.findings],
  }
}

/** Services, external addresses, routes, certificates and exits. */
export function waysOf(setting: Setting, analysis: Analysis, parties: readonly Party[]): readonly Way[] {
  return [
    ...serviceWays(setting, analysis, parties),
    ...externalWays(setting, analysis),
    ...routeWays(setting),
    ...exitWays(setting),
  ]
}

interface Policies {
  readonly own: readonly NetworkPolicy[]
  readonly wide: readonly ClusterPolicyModel[]
}

function policiesOf(snapshot: Snapshot): Policies {
  return { own: [...snapshot.policies.values()], wide: [...clusterModelsIn(snapshot)] }
}

function analyseWith({ pods, namespaces }: Snapshot, { own, wide }: Policies): Analysis {
  return analyse(pods.values(), namespaces.values(), own, wide)
}

/** Who may talk to whom by the policies of a setting. */
export function analyseSetting({ snapshot }: Pick<Setting, 'snapshot'>): Analysis {
  return analyseWith(snapshot, policiesOf(snapshot))
}

function auditedIn(setting: Setting, { own, wide }: Policies, now: readonly Edge[]): readonly Edge[] {
  const isAudited = own.some(({ metadata }) => metadata.annotations?.[auditAnnotation] === 'true')
  if (!isAudited && !wide.some(({ audit }) => audit)) return []
  const enforced: Policies = {
    wide: wide.map((model) => ({ ...model, audit: false })),
    own: own.map((policy) => {
      const { [auditAnnotation]: _, ...annotations } = policy.metadata.annotations ?? {}
      return { ...policy, metadata: { ...policy.metadata, annotations } }
    }),
  }
  const analysis = analyseWith(setting.snapshot, enforced)
  return edgesWithout(now, edgesOf(setting.snapshot, analysis, partiesOf(setting, analysis), enforced.wide))
}

/** The connections that only the first edges allow. */
export function edgesWithout(edges: readonly Edge[], others: readonly Edge[]): readonly Edge[] {
  const known = grantsByPair(others)
  return [...grantsByPair(edges).values()].flatMap(({ from, to, grant }) => {
    const rest = subtractGrants(grant, known.get(`${from} ${to}`)?.grant ?? nothingGranted)
    return isEmpty(rest) ? [] : [{ from, to, grant: rest }]
  })
}

function grantsByPair(edges: readonly Edge[]): ReadonlyMap<string, Edge> {
  const found = new Map<string, Edge>()
  for (const edge of edges) {
    const key = `${edge.from} ${edge.to}`
    const known = found.get(key)
    found.set(key, known === undefined ? edge : { ...edge, grant: uniteGrants(known.grant, edge.grant) })
  }
  return found
}

function edgesOf(
  snapshot: Snapshot,
  analysis: Analysis,
  parties: readonly Party[],
  wide: readonly ClusterPolicyModel[],
): readonly Edge[] {
  const others = new Beyond(snapshot, analysis, wide)
  const edges: Edge[] = []
  for (const from of parties) {
    for (const to of parties) {
      if (from === to && from.members.length < 2) continue
      const grant = grantOfParties(from, to, analysis)
      if (!isEmpty(grant)) edges.push({ from: from.name, to: to.name, grant })
    }
    edges.push(...others.edgesOf(from))
  }
  return edges.sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to))
}

/** Who is no pod of the setting: addresses, nodes that policies mean, and pods that they mean and that are not there. */
export class Beyond {
  readonly #nodes: ReturnType<typeof nodePeers>
  readonly #strangers: ReturnType<typeof strangersOf>

  constructor(snapshot: Snapshot, analysis: Analysis, wide: readonly ClusterPolicyModel[]) {
    this.#nodes = nodePeers([...snapshot.nodes.values()], wide)
    this.#strangers = strangersOf(analysis.kin)
  }

  edgesOf({ name, end }: Party): readonly Edge[] {
    if ('nodes' in end) return []
    const { egress, ingress } = end
    const edges: readonly { readonly from: string; readonly to: string; readonly grant: Grant | undefined }[] = [
      ...this.#nodes.map(({ who, peer }) => ({ from: name, to: who, grant: grantOf(egress, peer, []) })),
      ...beyond(egress).map(({ who, grant }) => ({ from: name, to: who, grant })),
      ...this.#strangers.map((one) => ({ from: one.who, to: name, grant: exposureTo(end, one) })),
      ...beyond(ingress).map(({ who, grant }) => ({ from: who, to: name, grant })),
    ]
    return edges.flatMap(({ from, to, grant }) => (grant === undefined || isEmpty(grant) ? [] : [{ from, to, grant }]))
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
