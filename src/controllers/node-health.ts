import type { Condition, Lease, Node, Pod } from '../objects/index.ts'
import { findCondition, timestamp } from './pod-state.ts'
import { findTolerations, type Taint, type Toleration } from './taint.ts'

const notReady = 'node.kubernetes.io/not-ready'
const unreachable = 'node.kubernetes.io/unreachable'
const unschedulable = 'node.kubernetes.io/unschedulable'
const owned = new Set([notReady, unreachable, unschedulable])

/** What counts as a sign of life: when it changes, by our own clock, the node lives. Clocks of nodes are never compared with ours. */
export function pulseOf(node: Node, lease: Lease | undefined): string {
  const ready = findCondition(node.status?.conditions, 'Ready') as
    | (Condition & { lastHeartbeatTime?: string })
    | undefined
  // A state that this controller itself wrote is no sign of life.
  const own = ready?.status === 'Unknown' ? '' : `${ready?.status}${ready?.lastHeartbeatTime ?? ''}`
  return `${lease?.spec?.renewTime ?? ''} ${own}`
}

/** The conditions of a node whose heartbeat has stopped: everything that the kubelet reports is unknown. */
export function staleConditions(node: Node, now: number): Condition[] {
  const time = timestamp(now)
  const known = node.status?.conditions ?? []
  const types = new Set(['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'])
  const stopped = (old: Condition | undefined, type: string): Condition => ({
    ...(old ?? {}),
    type,
    status: 'Unknown',
    reason: old === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
    message: old === undefined ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
    lastTransitionTime: old?.status === 'Unknown' ? (old.lastTransitionTime ?? time) : time,
  })
  const missing = [...types].filter((type) => !known.some((one) => one.type === type))
  return [
    ...known.map((one) => (types.has(one.type) ? stopped(one, one.type) : one)),
    ...missing.map((type) => stopped(undefined, type)),
  ]
}

/**
 * The taints that a node should have: its own ones, and those that follow from its Ready condition and `spec.unschedulable`.
 * When no node at all is ready it is more likely we who are cut off, so nothing is to be evicted (upstream's full disruption).
 */
export function wantedTaints(node: Node, allDown: boolean, now: number): Taint[] {
  const current = (node.spec?.taints ?? []) as Taint[]
  const ready = findCondition(node.status?.conditions, 'Ready')
  const key = ready?.status === 'False' ? notReady : ready?.status === 'Unknown' ? unreachable : undefined
  const wanted: Taint[] = []
  if (key !== undefined) wanted.push({ key, effect: 'NoSchedule' })
  if (key !== undefined && !allDown) wanted.push({ key, effect: 'NoExecute' })
  if (node.spec?.unschedulable) wanted.push({ key: unschedulable, effect: 'NoSchedule' })
  const isSame = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect
  const added = wanted
    .filter((taint) => !current.some((one) => isSame(one, taint)))
    .map((taint) => ({ ...taint, timeAdded: timestamp(now) }))
  // Before the first report of a kubelet its own not-ready taint, which keeps pods away, is not ours to take.
  const keep = (taint: Taint) =>
    !owned.has(taint.key) || wanted.some((one) => isSame(one, taint)) || (ready === undefined && taint.key === notReady)
  return [...current.filter(keep), ...added]
}

/** When a pod is to be evicted for these taints: a time in ms, 0 for at once, undefined for never. */
export function evictionTime(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[],
  now: number,
): number | undefined {
  let earliest: number | undefined
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue
    const used = findTolerations(tolerations, taint)
    if (used.length === 0) return 0
    const limits = used.flatMap(({ tolerationSeconds }) =>
      tolerationSeconds === undefined ? [] : [Math.max(0, tolerationSeconds)],
    )
    if (limits.length === 0) continue
    const added = Date.parse(taint.timeAdded ?? '')
    const due = (Number.isNaN(added) ? now : added) + Math.min(...limits) * 1000
    earliest = Math.min(earliest ?? due, due)
  }
  return earliest
}

/** Ready, for the purpose of marking the pods of a node that is not. */
export function podConditionsOnLostNode(pod: Pod, now: number): Condition[] | undefined {
  const ready = findCondition(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True') return undefined
  return (pod.status?.conditions ?? []).map((one) =>
    one.type === 'Ready'
      ? { ...one, status: 'False', reason: 'NodeNotReady', lastTransitionTime: timestamp(now) }
      : one,
  )
}
