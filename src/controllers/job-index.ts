import type { Job, Pod } from '../objects/index.ts'
import type { Failure } from './job-failures.ts'
import { parseIndexes, renderIndexes } from './job-intervals.ts'
import { isActive } from './pod-state.ts'

/** The label and annotation of a pod that say which completion of an Indexed Job it is. */
export const indexKey = 'batch.kubernetes.io/job-completion-index'
/** The annotation that says how many pods of the index failed before. */
export const indexFailuresKey = 'batch.kubernetes.io/job-index-failure-count'

/** Where an Indexed Job stands. */
export interface Indexed {
  readonly completions: number
  readonly completed: ReadonlySet<number>
  /** Given up, with backoffLimitPerIndex. */
  readonly failed: ReadonlySet<number>
  /** How many pods of an index failed so far. */
  readonly failuresOf: ReadonlyMap<number, number>
  /** One pod of each index that is worked on. */
  readonly active: ReadonlyMap<number, Pod>
  /** Pods that are too many: of an index that is done, that has a pod already, or that there is not. */
  readonly superfluous: readonly Pod[]
}

/** Looks at the pods of an Indexed Job; what its status says already stays true when pods are gone. */
export function surveyIndexes(job: Job, pods: readonly Pod[], judge: (pod: Pod) => Failure): Indexed {
  const { completions = 0, backoffLimitPerIndex } = job.spec
  const completed = parseIndexes(job.status?.completedIndexes, completions)
  const failed =
    backoffLimitPerIndex === undefined ? new Set<number>() : parseIndexes(job.status?.failedIndexes, completions)
  const failuresOf = new Map<number, number>()
  for (const pod of pods) {
    const index = indexOf(pod)
    if (index === undefined || index >= completions) continue
    if (pod.status?.phase === 'Succeeded') completed.add(index)
    const before = Number(pod.metadata.annotations?.[indexFailuresKey] ?? 0)
    const failure = pod.status?.phase === 'Failed' ? judge(pod) : undefined
    const failures = before + (failure?.kind === 'count' || failure?.kind === 'fail-index' ? 1 : 0)
    failuresOf.set(index, Math.max(failuresOf.get(index) ?? 0, failures))
    if (backoffLimitPerIndex === undefined) continue
    if (failures > backoffLimitPerIndex || failure?.kind === 'fail-index') failed.add(index)
  }
  for (const index of completed) failed.delete(index)
  const active = new Map<number, Pod>()
  const superfluous: Pod[] = []
  for (const pod of pods.filter(isActive).sort((a, b) => rankOf(a) - rankOf(b))) {
    const index = indexOf(pod)
    const isWanted =
      index !== undefined && index < completions && !completed.has(index) && !failed.has(index) && !active.has(index)
    if (isWanted) active.set(index, pod)
    else superfluous.push(pod)
  }
  return { completions, completed, failed, failuresOf, active, superfluous }
}

/** A pod that runs is kept before one that does not yet, an older one before a younger. */
function rankOf({ status, metadata }: Pod): number {
  const age = Date.parse(metadata.creationTimestamp ?? '') || 0
  return (status?.phase === 'Running' ? 0 : Number.MAX_SAFE_INTEGER / 2) + age
}

/** The lowest indexes to make pods for, at most `count`; `isBusy` says that something of the index is not over yet. */
export function nextIndexes(
  { completions, completed, failed, active }: Indexed,
  count: number,
  isBusy: (index: number) => boolean,
): number[] {
  const indexes: number[] = []
  for (let index = 0; index < completions && indexes.length < count; index++)
    if (!completed.has(index) && !failed.has(index) && !active.has(index) && !isBusy(index)) indexes.push(index)
  return indexes
}

/** The first rule of the Job's successPolicy that is met (KEP-3998), by its place. */
export function metSuccessRule(job: Job, { completed, completions }: Indexed): number | undefined {
  const met = (job.spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    const listed = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions)
    const count = listed === undefined ? completed.size : [...listed].filter((index) => completed.has(index)).length
    return count >= (succeededCount ?? listed?.size ?? Number.POSITIVE_INFINITY)
  })
  return met < 0 ? undefined : met
}

/** What an Indexed Job's status says beyond that of others. */
export function indexStatus(
  job: Job,
  { completed, failed }: Indexed,
): Pick<NonNullable<Job['status']>, 'completedIndexes' | 'failedIndexes'> {
  return {
    ...(completed.size > 0 && { completedIndexes: renderIndexes(completed) }),
    ...(job.spec.backoffLimitPerIndex !== undefined && { failedIndexes: renderIndexes(failed) }),
  }
}

/** The completion that a pod is for. */
export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[indexKey] ?? metadata.labels?.[indexKey] ?? ''
  return /^\d+$/.test(text) ? Number(text) : undefined
}

/** The pod of one index: its name, host name, label, annotations and `JOB_COMPLETION_INDEX` tell which. */
export function withIndex(pod: Pod, job: Job, index: number, failures: number): Pod {
  const field = { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } }
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: field }
  const indexed = <T extends { env?: { name: string }[] }>(container: T): T =>
    container.env?.some(({ name }) => name === variable.name)
      ? container
      : { ...container, env: [...(container.env ?? []), variable] }
  const { initContainers } = pod.spec
  const perIndex = job.spec.backoffLimitPerIndex !== undefined
  const annotations = {
    ...pod.metadata.annotations,
    [indexKey]: String(index),
    ...(perIndex && { [indexFailuresKey]: String(failures) }),
  }
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name}-${index}-`,
      labels: { ...pod.metadata.labels, [indexKey]: String(index) },
      annotations,
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(indexed),
      ...(initContainers && { initContainers: initContainers.map(indexed) }),
    },
  }
}
