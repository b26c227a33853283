import type { Pod, PodDisruptionBudget } from '../objects/index.ts'
import { scaleValue } from './deployment-plan.ts'
import { isPodReady, withCondition } from './pod-state.ts'

/** An eviction that was allowed and whose pod still lives after so long was not carried out (upstream's DeletionTimeout). */
const deletionTimeoutMs = 2 * 60_000

/** A budget's status, and when it is to be looked at again without a change. */
export interface DisruptionPlan {
  readonly status: NonNullable<PodDisruptionBudget['status']>
  readonly nextInMs: number | undefined
  /** Pods whose eviction was allowed and that stay. */
  readonly notDeleted: readonly Pod[]
}

/** Whether the number of pods that their controllers want decides how many must stay. */
export function asksControllers({ spec = {} }: PodDisruptionBudget): boolean {
  return spec.maxUnavailable !== undefined || typeof spec.minAvailable === 'string'
}

/** Decides how many of the pods may be evicted now. `wanted` is how many their controllers want, where that counts. */
export function planDisruption(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  wanted: number,
  now: number,
): DisruptionPlan {
  const { minAvailable, maxUnavailable } = budget.spec ?? {}
  const expectedPods = asksControllers(budget) ? wanted : pods.length
  const desiredHealthy =
    maxUnavailable !== undefined
      ? Math.max(0, expectedPods - scaleValue(maxUnavailable, expectedPods, Math.ceil))
      : scaleValue(minAvailable ?? 0, expectedPods, Math.ceil)
  const { disruptedPods, nextInMs, notDeleted } = disruptedOf(budget, pods, now)
  const currentHealthy = pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined && disruptedPods[pod.metadata.name] === undefined && isPodReady(pod),
  ).length
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  const isAllowed = disruptionsAllowed > 0
  const counts = { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods }
  return {
    status: statusOf(
      budget,
      counts,
      isAllowed,
      isAllowed ? 'SufficientPods' : 'InsufficientPods',
      '',
      now,
      disruptedPods,
    ),
    nextInMs,
    notDeleted,
  }
}

/** The status when the pods could not be counted: nothing may go (upstream's failSafe). */
export function failedDisruption(
  budget: PodDisruptionBudget,
  message: string,
  now: number,
): NonNullable<PodDisruptionBudget['status']> {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0, disruptedPods = {} } = budget.status ?? {}
  const counts = { disruptionsAllowed: 0, currentHealthy, desiredHealthy, expectedPods }
  return statusOf(budget, counts, false, 'SyncFailed', message, now, disruptedPods)
}

function statusOf(
  { metadata, status }: PodDisruptionBudget,
  counts: Required<
    Pick<
      NonNullable<PodDisruptionBudget['status']>,
      'disruptionsAllowed' | 'currentHealthy' | 'desiredHealthy' | 'expectedPods'
    >
  >,
  isAllowed: boolean,
  reason: string,
  message: string,
  now: number,
  disruptedPods: Record<string, string>,
): NonNullable<PodDisruptionBudget['status']> {
  const observedGeneration = metadata.generation ?? 0
  const condition = {
    type: 'DisruptionAllowed',
    status: isAllowed ? ('True' as const) : ('False' as const),
    reason,
    message,
    observedGeneration,
  }
  const conditions = withCondition(status?.conditions, condition, now)
  return { ...counts, observedGeneration, disruptedPods, conditions }
}

function disruptedOf({ status }: PodDisruptionBudget, pods: readonly Pod[], now: number) {
  const disruptedPods: Record<string, string> = {}
  const notDeleted: Pod[] = []
  let nextInMs: number | undefined
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata
    const since = status?.disruptedPods?.[name]
    if (since === undefined || deletionTimestamp !== undefined) continue
    const leftMs = Date.parse(since) + deletionTimeoutMs - now
    if (leftMs <= 0) {
      notDeleted.push(pod)
      continue
    }
    disruptedPods[name] = since
    nextInMs = Math.min(nextInMs ?? leftMs, leftMs)
  }
  return { disruptedPods, nextInMs, notDeleted }
}
