import { matches } from '../cluster/index.ts'
import type { LabelSelector, Pod } from '../objects/index.ts'
import { matchesNode, type PodAffinityTerm, type SchedulingSpec } from './node-affinity.ts'
import type { NodeRoom } from './node-room.ts'

/** Which nodes a pod's rules about other pods refuse, and why, in the scheduler's words. */
export type TopologyRule = (room: NodeRoom) => string | undefined

/** The rules of a pod about other pods, counted once over all nodes; none for most pods, which then cost nothing. */
export function topologyRules(pod: Pod, rooms: readonly NodeRoom[]): TopologyRule[] {
  const { affinity, topologySpreadConstraints = [] } = pod.spec as SchedulingSpec
  const apart = affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const together = affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const hard = topologySpreadConstraints.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
  return [
    ...apart.map((term) => antiAffinityRule(pod, term, rooms)),
    ...together.map((term) => affinityRule(pod, term, rooms)),
    ...hard.map((constraint) => spreadRule(pod, constraint, rooms)),
  ]
}

const domainOf = (room: NodeRoom, key: string): string | undefined => room.node?.metadata.labels?.[key]

/** How many pods of each domain the predicate holds for; domains are the values of the nodes' label `key`. */
function countPods(rooms: readonly NodeRoom[], key: string, counts: (pod: Pod) => boolean): Map<string, number> {
  const perDomain = new Map<string, number>()
  for (const room of rooms) {
    const domain = domainOf(room, key)
    if (domain === undefined) continue
    let found = 0
    for (const pod of room.pods.values()) if (counts(pod)) found++
    perDomain.set(domain, (perDomain.get(domain) ?? 0) + found)
  }
  return perDomain
}

function selectsPod(owner: Pod, term: PodAffinityTerm): (pod: Pod) => boolean {
  const { namespaces = [], namespaceSelector, labelSelector } = term
  const own = namespaces.length === 0 && namespaceSelector === undefined ? [owner.metadata.namespace] : namespaces
  // Labels of namespaces are not known here; an empty selector, the usual one, means all of them.
  const anywhere = namespaceSelector !== undefined && matches(namespaceSelector, {})
  return (pod) =>
    (anywhere || own.includes(pod.metadata.namespace ?? '')) && matches(labelSelector, pod.metadata.labels)
}

function antiAffinityRule(pod: Pod, term: PodAffinityTerm, rooms: readonly NodeRoom[]): TopologyRule {
  const counts = countPods(rooms, term.topologyKey, selectsPod(pod, term))
  return (room) => {
    const domain = domainOf(room, term.topologyKey)
    if (domain === undefined || !counts.get(domain)) return undefined
    return "node(s) didn't match pod anti-affinity rules"
  }
}

function affinityRule(pod: Pod, term: PodAffinityTerm, rooms: readonly NodeRoom[]): TopologyRule {
  const selects = selectsPod(pod, term)
  const counts = countPods(rooms, term.topologyKey, selects)
  // The first of a group that wants to be together may go anywhere, or none could ever start.
  const isFirst = selects(pod) && [...counts.values()].every((found) => found === 0)
  return (room) => {
    const domain = domainOf(room, term.topologyKey)
    if (domain !== undefined && (isFirst || counts.get(domain))) return undefined
    return "node(s) didn't match pod affinity rules"
  }
}

function spreadRule(
  pod: Pod,
  constraint: NonNullable<SchedulingSpec['topologySpreadConstraints']>[number],
  rooms: readonly NodeRoom[],
): TopologyRule {
  const { topologyKey, maxSkew } = constraint
  const selector = spreadSelector(pod, constraint)
  // Only nodes that the pod may go to count (nodeAffinityPolicy Honor, the default).
  const eligible = rooms.filter(({ node }) => node !== undefined && matchesNode(pod.spec, node))
  const counts = countPods(
    eligible,
    topologyKey,
    (other) =>
      other.metadata.namespace === pod.metadata.namespace &&
      other.metadata.deletionTimestamp === undefined &&
      matches(selector, other.metadata.labels),
  )
  const least = Math.min(...counts.values())
  const self = matches(selector, pod.metadata.labels) ? 1 : 0
  return (room) => {
    const domain = domainOf(room, topologyKey)
    if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)"
    const skew = (counts.get(domain) ?? 0) + self - least
    return skew > maxSkew ? "node(s) didn't match pod topology spread constraints" : undefined
  }
}

function spreadSelector(
  pod: Pod,
  { labelSelector, matchLabelKeys = [] }: { labelSelector?: LabelSelector; matchLabelKeys?: readonly string[] },
): LabelSelector | undefined {
  if (labelSelector === undefined) return undefined
  const own = matchLabelKeys.flatMap((key) => {
    const value = pod.metadata.labels?.[key]
    return value === undefined ? [] : [{ key, operator: 'In' as const, values: [value] }]
  })
  return { ...labelSelector, matchExpressions: [...(labelSelector.matchExpressions ?? []), ...own] }
}
