import type { Finding } from '../cluster/index.ts'
import {
  auditAnnotation,
  type Grant,
  grantBetween,
  grantOf,
  isEmpty,
  type Kin,
  nothingGranted,
  subtractGrants,
} from '../policies/index.ts'
import { exposureTo, strangersOf } from './exposure.ts'
import { beyond, nodePeers } from './outside.ts'
import { analyseCast, type Cast } from './workloads.ts'

/** Who may open connections to whom, on which ports. */
export interface Edge {
  /** `deployment/shop/web`, or `outside 203.0.113.0/24`. */
  readonly from: string
  readonly to: string
  readonly grant: Grant
}

/** The reachability that policies leave in a set of manifests. */
export interface Reach {
  readonly schema: 'plumb.network/reach/v1'
  readonly subjects: readonly string[]
  readonly edges: readonly Edge[]
  /** Of the edges what would go if audited policies were enforced. */
  readonly audited: readonly Edge[]
  readonly findings: readonly Finding[]
}

/** Computes it from policies alone: names, Services and routes are taken as working. */
export function reach(cast: Cast): Reach {
  const now = reachAsIs(cast)
  const audits =
    cast.clusterPolicies.some(({ audit }) => audit) ||
    cast.policies.some(({ metadata }) => metadata.annotations?.[auditAnnotation] === 'true')
  if (!audits) return now
  const clusterPolicies = cast.clusterPolicies.map((model) => ({ ...model, audit: false }))
  const policies = cast.policies.map((policy) => {
    const { [auditAnnotation]: _, ...annotations } = policy.metadata.annotations ?? {}
    return { ...policy, metadata: { ...policy.metadata, annotations } }
  })
  return { ...now, audited: edgesWithout(now.edges, reachAsIs({ ...cast, policies, clusterPolicies }).edges) }
}

/** The connections that only the first edges allow. */
export function edgesWithout(edges: readonly Edge[], others: readonly Edge[]): readonly Edge[] {
  const known = new Map<string, Grant>(others.map(({ from, to, grant }) => [`${from} ${to}`, grant]))
  return edges.flatMap(({ from, to, grant }) => {
    const rest = subtractGrants(grant, known.get(`${from} ${to}`) ?? nothingGranted)
    return isEmpty(rest) ? [] : [{ from, to, grant: rest }]
  })
}

function reachAsIs(cast: Cast): Reach {
  const analysis = analyseCast(cast)
  const named = analysis.kin.map((kin) => ({ kin, names: namesOf(cast, kin) }))
  const nodes = nodePeers(cast)
  const strangers = strangersOf(analysis.kin)
  const edges: Edge[] = []
  for (const from of named) {
    for (const to of named) {
      const grant = grantBetween(from.kin, to.kin)
      if (isEmpty(grant)) continue
      for (const a of from.names) for (const b of to.names) if (a !== b) edges.push({ from: a, to: b, grant })
    }
    for (const { who, peer } of nodes) {
      const grant = grantOf(from.kin.egress, peer, [])
      if (!isEmpty(grant)) for (const a of from.names) edges.push({ from: a, to: who, grant })
    }
    for (const { who, grant } of beyond(from.kin.egress))
      for (const a of from.names) edges.push({ from: a, to: who, grant })
    for (const stranger of strangers) {
      const grant = exposureTo(from.kin, stranger)
      if (grant !== undefined) for (const a of from.names) edges.push({ from: stranger.who, to: a, grant })
    }
    for (const { who, grant } of beyond(from.kin.ingress))
      for (const a of from.names) edges.push({ from: who, to: a, grant })
  }
  const subjects = named.flatMap(({ names }) => names).sort()
  const order = (a: Edge, b: Edge): number => compare(a.from, b.from) || compare(a.to, b.to)
  const findings = analysis.findings
  return { schema: 'plumb.network/reach/v1', subjects, edges: edges.sort(order), audited: [], findings }
}

function namesOf(cast: Cast, { pods }: Kin): readonly string[] {
  return [...new Set(pods.map((key) => cast.nameOf.get(key) ?? `pod/${key}`))]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
