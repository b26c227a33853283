import type { Pod, StatefulSet } from '../objects/index.ts'
import { availableInMs, hasEnded, isPodReady } from './pod-state.ts'
import { revisionLabel } from './revision.ts'

/** The revisions of a StatefulSet that matter: what pods had and what they shall have. */
export interface StatefulRevisions {
  readonly current: string
  readonly update: string
}

/** What a StatefulSet does next; several steps only with `podManagementPolicy: Parallel`. */
export interface StatefulPlan {
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[]
  readonly remove: readonly Pod[]
}

/** The ordinal in a pod's name, or undefined for a name of another form. */
export function ordinalOf(statefulSet: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${statefulSet.metadata.name}-`
  const rest = pod.metadata.name.startsWith(prefix) ? pod.metadata.name.slice(prefix.length) : ''
  return /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined
}

/** Creates from the lowest ordinal up, removes from the highest down, updates from the highest down; one by one unless Parallel. */
export function planStateful(
  statefulSet: StatefulSet,
  pods: readonly Pod[],
  revisions: StatefulRevisions,
  now: number,
): StatefulPlan {
  const { spec } = statefulSet
  const start = spec.ordinals?.start ?? 0
  const end = start + (spec.replicas ?? 1)
  const isParallel = spec.podManagementPolicy === 'Parallel'
  const byOrdinal = new Map(
    pods.flatMap((pod) => {
      const ordinal = ordinalOf(statefulSet, pod)
      return ordinal === undefined ? [] : [[ordinal, pod] as const]
    }),
  )
  const isHealthy = (pod: Pod | undefined): boolean =>
    pod !== undefined &&
    pod.metadata.deletionTimestamp === undefined &&
    availableInMs(pod, spec.minReadySeconds ?? 0, now) === 0
  const create: { ordinal: number; revision: string }[] = []
  const remove: Pod[] = []
  for (let ordinal = start; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal)
    if (pod === undefined) create.push({ ordinal, revision: revisionFor(statefulSet, ordinal, byOrdinal, revisions) })
    else if (hasEnded(pod) && pod.metadata.deletionTimestamp === undefined) remove.push(pod)
    else if (isHealthy(pod) || isParallel) continue
    if (!isParallel) return { create, remove }
  }
  const condemned = [...byOrdinal].filter(([ordinal]) => ordinal < start || ordinal >= end).sort(([a], [b]) => b - a)
  const alive = condemned.filter(([, pod]) => pod.metadata.deletionTimestamp === undefined).map(([, pod]) => pod)
  if (isParallel) remove.push(...alive)
  else if (condemned.length > 0) {
    // One at a time: the next only when the one before is wholly gone.
    return { create, remove: alive.length === condemned.length ? alive.slice(0, 1) : [] }
  }
  if (create.length + remove.length > 0 || spec.updateStrategy?.type === 'OnDelete') return { create, remove }
  return { create, remove: nextOutdated(statefulSet, byOrdinal, revisions, start, end, isHealthy) }
}

/** From the highest ordinal down to the partition; a pod that is not healthy is waited for, unless it is outdated itself. */
function nextOutdated(
  statefulSet: StatefulSet,
  byOrdinal: ReadonlyMap<number, Pod>,
  revisions: StatefulRevisions,
  start: number,
  end: number,
  isHealthy: (pod: Pod | undefined) => boolean,
): Pod[] {
  const partition = Math.max(start, statefulSet.spec.updateStrategy?.rollingUpdate?.partition ?? 0)
  for (let ordinal = end - 1; ordinal >= partition; ordinal--) {
    const pod = byOrdinal.get(ordinal)
    if (pod === undefined) return []
    const isOutdated = pod.metadata.labels?.[revisionLabel] !== revisions.update
    if (isOutdated && pod.metadata.deletionTimestamp === undefined) return [pod]
    if (!isHealthy(pod)) return []
  }
  return []
}

/** Below the partition, and below what is updated yet, a pod comes back as it was. */
function revisionFor(
  statefulSet: StatefulSet,
  ordinal: number,
  byOrdinal: ReadonlyMap<number, Pod>,
  revisions: StatefulRevisions,
): string {
  const { type, rollingUpdate } = statefulSet.spec.updateStrategy ?? {}
  if (revisions.current === revisions.update) return revisions.update
  if (type === 'OnDelete') return revisions.update
  const partition = rollingUpdate?.partition ?? 0
  if (ordinal < partition) return revisions.current
  const outdatedAbove = [...byOrdinal].some(
    ([other, pod]) => other > ordinal && pod.metadata.labels?.[revisionLabel] === revisions.current,
  )
  return outdatedAbove ? revisions.current : revisions.update
}

/** The status of a StatefulSet, and when a ready pod becomes available next. */
export function statefulStatus(
  statefulSet: StatefulSet,
  pods: readonly Pod[],
  revisions: StatefulRevisions,
  now: number,
): { status: NonNullable<StatefulSet['status']>; nextInMs: number | undefined } {
  const alive = pods.filter((pod) => ordinalOf(statefulSet, pod) !== undefined && !hasEnded(pod))
  const kept = alive.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const waits = kept.map((pod) => availableInMs(pod, statefulSet.spec.minReadySeconds ?? 0, now))
  const made = (revision: string) => kept.filter(({ metadata }) => metadata.labels?.[revisionLabel] === revision).length
  const replicas = statefulSet.spec.replicas ?? 1
  const updated = made(revisions.update)
  const ready = kept.filter(isPodReady).length
  const isDone = updated === replicas && alive.length === replicas && ready === replicas
  const later = waits.filter((wait) => wait !== undefined && wait > 0) as number[]
  return {
    status: {
      observedGeneration: statefulSet.metadata.generation ?? 0,
      replicas: alive.length,
      readyReplicas: ready,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      currentReplicas: isDone ? updated : made(revisions.current),
      updatedReplicas: updated,
      currentRevision: isDone ? revisions.update : revisions.current,
      updateRevision: revisions.update,
      collisionCount: statefulSet.status?.collisionCount ?? 0,
    },
    nextInMs: later.length === 0 ? undefined : Math.min(...later),
  }
}
