import type { Condition, Job, Pod } from '../objects/index.ts'
import { findCondition, isActive, isPodReady, timestamp } from './pod-state.ts'

/** The first pause after a failed pod, doubled for each one more (upstream's DefaultJobPodFailureBackOff). */
const firstBackoffMs = 10_000
const lastBackoffMs = 10 * 60_000

/** What a Job does next, and its status after it. */
export interface JobPlan {
  readonly create: number
  readonly remove: readonly Pod[]
  readonly status: NonNullable<Job['status']>
  /** What to tell as an event. */
  readonly news: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string } | undefined
  readonly nextInMs: number | undefined
}

/** Complete or Failed: nothing is done for it any more. */
export function hasFinished(job: Job): boolean {
  return (job.status?.conditions ?? []).some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
}

/** When a finished Job is to be deleted: ms from now, undefined for never. */
export function expiresInMs(job: Job, now: number): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec
  if (ttlSecondsAfterFinished === undefined || !hasFinished(job)) return undefined
  const end = (job.status?.conditions ?? []).find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
  const at = Date.parse(end?.lastTransitionTime ?? '')
  return Number.isNaN(at) ? undefined : Math.max(0, at + ttlSecondsAfterFinished * 1000 - now)
}

/** Decides for an unfinished Job; pods are those that it owns. */
export function planJob(job: Job, pods: readonly Pod[], now: number): JobPlan {
  const { spec } = job
  const active = pods.filter(isActive)
  const succeeded = pods.filter(({ status }) => status?.phase === 'Succeeded').length
  const failedPods = pods.filter(
    (pod) =>
      pod.status?.phase === 'Failed' ||
      (pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded'),
  )
  const startTime = job.status?.startTime ?? (spec.suspend ? undefined : timestamp(now))
  const counts = {
    active: active.length,
    ready: active.filter(isPodReady).length,
    succeeded,
    failed: failedPods.length,
    ...(startTime !== undefined && { startTime }),
  }
  const end = endOf(job, pods, failedPods.length, succeeded, active.length, startTime, now)
  if (end !== undefined) return finish(job, end, counts, active, now)
  if (spec.suspend) return suspend(job, counts, active, now)
  const conditions = resumed(job, now)
  const pauseMs = backoffMs(failedPods, now)
  const wanted = wantedActive(job, succeeded)
  const missing = wanted - active.length
  const create = missing > 0 && pauseMs === 0 ? missing : 0
  return {
    create,
    remove: missing < 0 ? active.slice(missing) : [],
    status: { ...counts, ...(conditions.length > 0 && { conditions }) },
    news: undefined,
    nextInMs: soonest(missing > 0 && pauseMs > 0 ? pauseMs : undefined, deadlineInMs(job, startTime, now)),
  }
}

function wantedActive({ spec }: Job, succeeded: number): number {
  const parallelism = spec.parallelism ?? 1
  if (spec.completions !== undefined) return Math.min(parallelism, Math.max(0, spec.completions - succeeded))
  // A work queue: after the first success no new pods come, those that run may end.
  return succeeded > 0 ? 0 : parallelism
}

interface End {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

function endOf(
  { spec }: Job,
  pods: readonly Pod[],
  failed: number,
  succeeded: number,
  active: number,
  startTime: string | undefined,
  now: number,
): End | undefined {
  const limit = spec.backoffLimit ?? 6
  const restarts =
    spec.template.spec.restartPolicy === 'OnFailure' ? pods.reduce((sum, pod) => sum + restartsOf(pod), 0) : 0
  if (failed > limit || (restarts > 0 && restarts >= limit))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  const seconds = spec.activeDeadlineSeconds
  if (
    seconds !== undefined &&
    startTime !== undefined &&
    !spec.suspend &&
    now >= Date.parse(startTime) + seconds * 1000
  )
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  const isDone = spec.completions === undefined ? succeeded > 0 && active === 0 : succeeded >= spec.completions
  if (isDone)
    return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
  return undefined
}

function finish(job: Job, end: End, counts: NonNullable<Job['status']>, active: readonly Pod[], now: number): JobPlan {
  const time = timestamp(now)
  const made = (type: string): Condition => ({
    type,
    status: 'True',
    reason: end.reason,
    message: end.message,
    lastProbeTime: time,
    lastTransitionTime: time,
  })
  // Clients since 1.31 expect the intermediate condition too (KEP-3998).
  const first = end.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget'
  const conditions = [...(job.status?.conditions ?? []), made(first), made(end.type)]
  const isComplete = end.type === 'Complete'
  return {
    create: 0,
    remove: active,
    status: {
      ...counts,
      active: 0,
      ready: 0,
      failed: (counts.failed ?? 0) + (isComplete ? 0 : active.length),
      ...(isComplete && { completionTime: time }),
      conditions,
    },
    news: isComplete
      ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
      : { type: 'Warning', reason: end.reason, message: end.message },
    nextInMs: undefined,
  }
}

function suspend(job: Job, counts: NonNullable<Job['status']>, active: readonly Pod[], now: number): JobPlan {
  const known = findCondition(job.status?.conditions, 'Suspended')
  const { startTime: _, ...rest } = counts
  const time = timestamp(now)
  const condition: Condition = {
    type: 'Suspended',
    status: 'True',
    reason: 'JobSuspended',
    message: 'Job suspended',
    lastProbeTime: time,
    lastTransitionTime: time,
  }
  const conditions = known?.status === 'True' ? (job.status?.conditions ?? []) : [...others(job), condition]
  const news =
    known?.status === 'True' ? undefined : ({ type: 'Normal', reason: 'Suspended', message: 'Job suspended' } as const)
  return { create: 0, remove: active, status: { ...rest, conditions }, news, nextInMs: undefined }
}

function resumed(job: Job, now: number): Condition[] {
  const known = findCondition(job.status?.conditions, 'Suspended')
  if (known?.status !== 'True') return job.status?.conditions ?? []
  const time = timestamp(now)
  return [
    ...others(job),
    { ...known, status: 'False', reason: 'JobResumed', message: 'Job resumed', lastTransitionTime: time },
  ]
}

function others(job: Job): Condition[] {
  return (job.status?.conditions ?? []).filter(({ type }) => type !== 'Suspended')
}

/** The ms until the next pod may be made after failures: counted from the last one's end. */
function backoffMs(failed: readonly Pod[], now: number): number {
  if (failed.length === 0) return 0
  const ends = failed.map(endedAt).filter((time) => !Number.isNaN(time))
  if (ends.length === 0) return 0
  const pause = Math.min(lastBackoffMs, firstBackoffMs * 2 ** Math.min(failed.length - 1, 10))
  return Math.max(0, Math.max(...ends) + pause - now)
}

function endedAt({ status, metadata }: Pod): number {
  const times = (status?.containerStatuses ?? []).flatMap(({ state }) => state?.terminated?.finishedAt ?? [])
  return Math.max(
    ...times.map((time) => Date.parse(time)),
    Date.parse(metadata.deletionTimestamp ?? metadata.creationTimestamp ?? ''),
  )
}

function restartsOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0)
}

function deadlineInMs({ spec }: Job, startTime: string | undefined, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || startTime === undefined) return undefined
  return Math.max(0, Date.parse(startTime) + spec.activeDeadlineSeconds * 1000 - now)
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}
