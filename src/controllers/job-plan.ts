import type { Condition, Job, Pod } from '../objects/index.ts'
import { type End, endOf } from './job-end.ts'
import { type Indexed, indexOf, indexStatus, nextIndexes } from './job-index.ts'
import { type Tally, tallyPods } from './job-tally.ts'
import { findCondition, isPodReady, timestamp } from './pod-state.ts'

/** The first pause after a failed pod, doubled for each one more (upstream's DefaultJobPodFailureBackOff). */
const firstBackoffMs = 10_000
const lastBackoffMs = 10 * 60_000

/** What a Job does next, and its status after it. */
export interface JobPlan {
  readonly create: number
  /** Of an Indexed Job: what each of the pods to make is for, and how many of that index failed before. */
  readonly indexes: readonly { readonly index: number; readonly failures: number }[]
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
  const tally = tallyPods(job, pods)
  const { active, failed, indexed } = tally
  const startTime = job.status?.startTime ?? (spec.suspend ? undefined : timestamp(now))
  const counts = {
    active: active.length,
    ready: active.filter(isPodReady).length,
    terminating: tally.terminating.length,
    succeeded: tally.succeeded,
    failed: failed.length,
    ...(indexed && indexStatus(job, indexed)),
    ...(startTime !== undefined && { startTime }),
  }
  const end = endOf(job, pods, tally, startTime, now)
  if (end !== undefined) return finish(job, end, counts, active, now)
  if (spec.suspend) return suspend(job, counts, active, now)
  const conditions = resumed(job, now)
  const next = indexed === undefined ? planPods(job, tally, now) : planIndexes(job, tally, indexed, now)
  return {
    create: next.create,
    indexes: next.indexes,
    remove: next.remove,
    status: { ...counts, ...(conditions.length > 0 && { conditions }) },
    news: undefined,
    nextInMs: soonest(next.pauseMs, deadlineInMs(job, startTime, now)),
  }
}

type Step = Pick<JobPlan, 'create' | 'indexes' | 'remove'> & { readonly pauseMs: number | undefined }

function planPods(job: Job, { active, failed, waited, succeeded }: Tally, now: number): Step {
  const pauseMs = backoffMs(failed, now)
  const missing = wantedActive(job, succeeded) - active.length - waited.length
  return {
    create: missing > 0 && pauseMs === 0 ? missing : 0,
    indexes: [],
    remove: missing < 0 ? active.slice(Math.max(0, active.length + missing)) : [],
    pauseMs: missing > 0 && pauseMs > 0 ? pauseMs : undefined,
  }
}

/** As `planPods`, but each pod is for one index, and with backoffLimitPerIndex each index pauses by itself. */
function planIndexes(job: Job, { failed, waited }: Tally, indexed: Indexed, now: number): Step {
  const { spec } = job
  const perIndex = spec.backoffLimitPerIndex !== undefined
  const pauses = new Map<number, number>()
  for (const [index, pods] of Map.groupBy(failed, indexOf))
    if (index !== undefined) pauses.set(index, backoffMs(perIndex ? pods : failed, now))
  const pauseOf = (index: number) => (perIndex ? (pauses.get(index) ?? 0) : backoffMs(failed, now))
  const busy = new Set(waited.map(indexOf))
  const left = indexed.completions - indexed.completed.size - indexed.failed.size
  const limit = Math.min(spec.parallelism ?? 1, left)
  const room = limit - indexed.active.size - waited.length
  const open = nextIndexes(indexed, indexed.completions, (index) => busy.has(index))
  const ready = open.filter((index) => pauseOf(index) === 0).slice(0, Math.max(0, room))
  const waits = open.map(pauseOf).filter((ms) => ms > 0)
  const tooMany = [...indexed.active].sort(([a], [b]) => a - b).slice(Math.max(0, limit))
  return {
    create: ready.length,
    indexes: ready.map((index) => ({ index, failures: indexed.failuresOf.get(index) ?? 0 })),
    remove: [...indexed.superfluous, ...tooMany.map(([, pod]) => pod)],
    pauseMs: room > ready.length && waits.length > 0 ? Math.min(...waits) : undefined,
  }
}

function wantedActive({ spec }: Job, succeeded: number): number {
  const parallelism = spec.parallelism ?? 1
  if (spec.completions !== undefined) return Math.min(parallelism, Math.max(0, spec.completions - succeeded))
  // A work queue: after the first success no new pods come, those that run may end.
  return succeeded > 0 ? 0 : parallelism
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
    indexes: [],
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
  return { create: 0, indexes: [], remove: active, status: { ...rest, conditions }, news, nextInMs: undefined }
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

function deadlineInMs({ spec }: Job, startTime: string | undefined, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || startTime === undefined) return undefined
  return Math.max(0, Date.parse(startTime) + spec.activeDeadlineSeconds * 1000 - now)
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}
