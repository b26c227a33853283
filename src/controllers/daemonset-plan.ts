import type { DaemonSet, Node, Pod, PodTemplate } from '../objects/index.ts'
import { scaleValue } from './deployment-plan.ts'
import { matchesNode, type SchedulingSpec } from './node-affinity.ts'
import { availableInMs, hasEnded, isPodReady } from './pod-state.ts'
import { revisionLabel } from './revision.ts'
import { type Taint, type Toleration, tolerates } from './taint.ts'

/** What pods of DaemonSets bear with, so that they are where the trouble is (upstream's AddOrUpdateDaemonPodTolerations). */
const daemonTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]
const networkUnavailable: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
}

/** The template as the daemon's pods get it: with the tolerations, and for one node when `nodeName` is given. */
export function daemonTemplate(template: PodTemplate, nodeName: string, labels: Record<string, string>): PodTemplate {
  const spec = template.spec as SchedulingSpec
  const added = [...daemonTolerations, ...(spec.hostNetwork ? [networkUnavailable] : [])]
  const own = (spec.tolerations ?? []).filter(
    (one) => !added.some(({ key, effect }) => key === one.key && effect === one.effect),
  )
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  const required = {
    nodeSelectorTerms: terms === undefined ? [term] : terms.map((one) => ({ ...one, ...term })),
  }
  const nodeAffinity = { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required }
  return {
    metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...labels } },
    spec: { ...spec, tolerations: [...own, ...added], affinity: { ...spec.affinity, nodeAffinity } } as SchedulingSpec,
  }
}

/** Whether a daemon's pod belongs on the node, and whether one that is there may stay. */
export function placeOf(daemonSet: DaemonSet, node: Node): { readonly shouldRun: boolean; readonly mayStay: boolean } {
  const { spec } = daemonSet.spec.template
  if (!matchesNode(spec, node)) return { shouldRun: false, mayStay: false }
  const tolerations = [
    ...(spec.tolerations ?? []),
    ...daemonTolerations,
    ...(spec.hostNetwork ? [networkUnavailable] : []),
  ]
  const refused = ((node.spec?.taints ?? []) as Taint[]).filter((taint) => !tolerates(tolerations, taint))
  const mayStay = !refused.some(({ effect }) => effect === 'NoExecute')
  return { shouldRun: mayStay && !refused.some(({ effect }) => effect === 'NoSchedule'), mayStay }
}

/** The node that a daemon's pod is for: bound to it, or made for it. */
export function nodeOf(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName
  const terms = (pod.spec as SchedulingSpec).affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return terms?.nodeSelectorTerms
    ?.flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key }) => key === 'metadata.name')?.values?.[0]
}

/** What a DaemonSet does next. */
export interface DaemonPlan {
  /** Nodes that get a pod. */
  readonly create: readonly string[]
  readonly remove: readonly Pod[]
}

/** One pod on each node that should have one: the missing are made, the surplus, ended and outdated ones removed. */
export function planDaemons(
  daemonSet: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  revision: string,
  now: number,
): DaemonPlan {
  const perNode = Map.groupBy(pods, (pod) => nodeOf(pod) ?? '')
  const create: string[] = []
  const remove: Pod[] = []
  const standing = new Map<string, Pod>()
  for (const node of nodes) {
    const { name } = node.metadata
    const here = perNode.get(name) ?? []
    perNode.delete(name)
    const { shouldRun, mayStay } = placeOf(daemonSet, node)
    const alive = here.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    if (!mayStay) remove.push(...alive)
    else if (here.length === 0 && shouldRun) create.push(name)
    const ended = alive.filter(hasEnded)
    const [first, ...surplus] = alive.filter((pod) => !hasEnded(pod)).toSorted(byAge)
    if (!mayStay) continue
    remove.push(...ended.filter((pod) => pod.status?.phase === 'Failed' || shouldRun), ...surplus)
    if (first !== undefined && shouldRun) standing.set(name, first)
  }
  // Pods of nodes that are gone are the pod garbage collector's, those not bound yet are ours.
  for (const orphans of perNode.values())
    remove.push(...orphans.filter(({ spec, metadata }) => !spec.nodeName && metadata.deletionTimestamp === undefined))
  const wanted = nodes.filter((node) => placeOf(daemonSet, node).shouldRun).length
  return { create, remove: [...remove, ...outdated(daemonSet, standing, wanted, revision, now)] }
}

/** The pods of other revisions that may go now: unavailable ones always, others within maxUnavailable. */
function outdated(
  daemonSet: DaemonSet,
  standing: ReadonlyMap<string, Pod>,
  wanted: number,
  revision: string,
  now: number,
): Pod[] {
  const { type, rollingUpdate } = daemonSet.spec.updateStrategy ?? {}
  if (type === 'OnDelete') return []
  const seconds = daemonSet.spec.minReadySeconds ?? 0
  const isAvailable = (pod: Pod) => availableInMs(pod, seconds, now) === 0
  const old = [...standing.values()].filter((pod) => pod.metadata.labels?.[revisionLabel] !== revision)
  const limit = Math.max(1, scaleValue(rollingUpdate?.maxUnavailable ?? 1, wanted, Math.ceil))
  const unavailable = wanted - [...standing.values()].filter(isAvailable).length
  const dead = old.filter((pod) => !isAvailable(pod))
  return [...dead, ...old.filter(isAvailable).slice(0, Math.max(0, limit - unavailable))]
}

/** The status of a DaemonSet, and when a ready pod becomes available next. */
export function daemonStatus(
  daemonSet: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  revision: string,
  now: number,
): { status: NonNullable<DaemonSet['status']>; nextInMs: number | undefined } {
  const perNode = Map.groupBy(
    pods.filter((pod) => !hasEnded(pod)),
    (pod) => nodeOf(pod) ?? '',
  )
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 }
  let nextInMs: number | undefined
  for (const node of nodes) {
    const [pod] = (perNode.get(node.metadata.name) ?? []).toSorted(byAge)
    const { shouldRun } = placeOf(daemonSet, node)
    if (!shouldRun && pod !== undefined) counts.misscheduled++
    if (!shouldRun) continue
    counts.desired++
    if (pod === undefined) continue
    counts.current++
    if (pod.metadata.labels?.[revisionLabel] === revision) counts.updated++
    if (isPodReady(pod)) counts.ready++
    const wait = availableInMs(pod, daemonSet.spec.minReadySeconds ?? 0, now)
    if (wait === 0) counts.available++
    else if (wait !== undefined) nextInMs = Math.min(nextInMs ?? wait, wait)
  }
  const status = {
    observedGeneration: daemonSet.metadata.generation ?? 0,
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
  }
  return { status, nextInMs }
}

function byAge(a: Pod, b: Pod): number {
  const [x = '', y = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1
}
