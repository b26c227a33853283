import { type CronJob, type CronSchedule, type Job, type ObjectReference, parseCronSchedule } from '../objects/index.ts'
import { hasFinished } from './job-plan.ts'
import { timestamp } from './pod-state.ts'

/** So many missed times are one too many to count (upstream's limit): clocks are off, or the schedule was away for long. */
const manyMissed = 100
/** Timers do not reach further than some weeks. */
const dayMs = 24 * 60 * 60_000

/** Something to tell as an event. */
export interface News {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** What a CronJob does next. */
export interface CronJobPlan {
  /** The time for which a Job is made now, in ms since 1970. */
  readonly start: number | undefined
  /** Jobs that go: history that is too long, and with `Replace` those that still run. */
  readonly remove: readonly Job[]
  readonly status: NonNullable<CronJob['status']>
  readonly news: readonly News[]
  /** When to look again. */
  readonly nextInMs: number | undefined
}

/** Decides for a CronJob; `jobs` are those that it owns. */
export function planCronJob(cronJob: CronJob, jobs: readonly Job[], now: number): CronJobPlan {
  const spec = cronJob.spec ?? {}
  const seen = jobs.filter((job) => !hasFinished(job))
  const news = finishedNews(cronJob, jobs)
  const old = excess(jobs, spec.successfulJobsHistoryLimit, spec.failedJobsHistoryLimit)
  const status = { ...cronJob.status, active: seen.map(referenceOf), ...lastSuccess(cronJob, jobs) }
  const idle = { start: undefined, remove: old, status, news, nextInMs: undefined }
  const schedule = parseCronSchedule(spec.schedule ?? '')
  if (schedule === undefined) {
    const message = `unparseable schedule: ${JSON.stringify(spec.schedule ?? '')}`
    return { ...idle, news: [...news, { type: 'Warning', reason: 'UnparseableSchedule', message }] }
  }
  if (spec.suspend) return idle
  const next = nextTime(cronJob, schedule, now)
  const waiting = { ...idle, nextInMs: next === undefined ? undefined : Math.min(next - now, dayMs) }
  const { due, many } = dueTime(cronJob, schedule, now)
  if (due === undefined) return waiting
  const late = many ? [tooMany] : []
  if (spec.startingDeadlineSeconds !== undefined && due + spec.startingDeadlineSeconds * 1000 < now)
    return { ...waiting, news: [...news, ...late, missed(due)] }
  if (jobs.some((job) => job.metadata.name === jobName(cronJob, due))) return waiting
  if (seen.length > 0 && spec.concurrencyPolicy === 'Forbid') return { ...waiting, news: [...news, ...late, forbidden] }
  const replaced = spec.concurrencyPolicy === 'Replace' ? seen : []
  const active = replaced.length > 0 ? [] : status.active
  return {
    ...waiting,
    start: due,
    remove: [...old, ...replaced],
    status: { ...status, active, lastScheduleTime: timestamp(due) },
    news: [...news, ...late],
  }
}

/** `@every` counts from the time that was served last. */
function nextTime({ spec, status, metadata }: CronJob, schedule: CronSchedule, now: number): number | undefined {
  const last = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '')
  if (schedule.everyMs === undefined || Number.isNaN(last)) return schedule.next(now, spec?.timeZone)
  return last + (Math.floor((now - last) / schedule.everyMs) + 1) * schedule.everyMs
}

const tooMany: News = {
  type: 'Warning',
  reason: 'TooManyMissedTimes',
  message: 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
}
const forbidden: News = {
  type: 'Normal',
  reason: 'JobAlreadyActive',
  message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
}

function missed(due: number): News {
  const message = `Missed scheduled time to start a job: ${new Date(due).toUTCString()}`
  return { type: 'Warning', reason: 'MissSchedule', message }
}

/** The name of the Job for a time: the same whoever makes it, so that none is made twice. */
export function jobName({ metadata }: CronJob, due: number): string {
  return `${metadata.name}-${Math.floor(due / 60_000)}`
}

/** The latest time that has come since the last one that was served. */
function dueTime(
  { spec = {}, status, metadata }: CronJob,
  schedule: CronSchedule,
  now: number,
): { readonly due: number | undefined; readonly many: boolean } {
  const last = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '')
  if (Number.isNaN(last)) return { due: undefined, many: false }
  const { everyMs } = schedule
  if (everyMs !== undefined) {
    const count = Math.floor((now - last) / everyMs)
    return { due: count < 1 ? undefined : last + count * everyMs, many: count > manyMissed }
  }
  const deadline = spec.startingDeadlineSeconds
  const earliest = deadline === undefined ? last : Math.max(last, now - deadline * 1000 - 1)
  const next = (after: number) => schedule.next(after, spec.timeZone) ?? Number.POSITIVE_INFINITY
  let due = next(earliest)
  if (due > now) return { due: undefined, many: false }
  let count = 1
  for (let time = next(due); time <= now && count <= manyMissed; time = next(time), count++) due = time
  return count > manyMissed ? { due: latest(next, now), many: true } : { due, many: false }
}

/** The latest time up to now, looked for in ever longer spans before it; there is one. */
function latest(next: (after: number) => number, now: number): number {
  let span = 60_000
  while (next(now - span) > now) span *= 2
  let due = next(now - span)
  for (let time = next(due); time <= now; time = next(time)) due = time
  return due
}

function excess(jobs: readonly Job[], successful = 3, failed = 1): Job[] {
  const ended = (type: string) =>
    jobs
      .filter(({ status }) => status?.conditions?.some((one) => one.type === type && one.status === 'True'))
      .sort((a, b) => startOf(a) - startOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
  const [good, bad] = [ended('Complete'), ended('Failed')]
  return [...good.slice(0, Math.max(0, good.length - successful)), ...bad.slice(0, Math.max(0, bad.length - failed))]
}

function startOf({ status, metadata }: Job): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '') || 0
}

function lastSuccess({ status }: CronJob, jobs: readonly Job[]): { lastSuccessfulTime?: string } {
  const times = jobs.flatMap(({ status }) => status?.completionTime ?? [])
  const latest = [...times, ...(status?.lastSuccessfulTime === undefined ? [] : [status.lastSuccessfulTime])]
    .sort()
    .at(-1)
  return latest === undefined ? {} : { lastSuccessfulTime: latest }
}

/** Jobs that were active when the status was written and are no longer. */
function finishedNews({ status }: CronJob, jobs: readonly Job[]): News[] {
  return (status?.active ?? []).flatMap(({ uid, name = '' }): News[] => {
    const job = jobs.find(({ metadata }) => metadata.uid === uid)
    if (job === undefined)
      return [{ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` }]
    if (!hasFinished(job)) return []
    const complete = job.status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True')
    const message = `Saw completed job: ${name}, condition: ${complete ? 'Complete' : 'Failed'}`
    return [{ type: 'Normal', reason: 'SawCompletedJob', message }]
  })
}

/** How a CronJob's status names a Job. */
export function referenceOf({ metadata }: Job): ObjectReference {
  const { name, namespace, uid, resourceVersion } = metadata
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  }
}
