import type { Job, Pod } from '../objects/index.ts'
import { type Indexed, metSuccessRule } from './job-index.ts'
import type { Tally } from './job-tally.ts'

/** How a Job ends, in upstream's words. */
export interface End {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

const completed: End = {
  type: 'Complete',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
}

/** Whether the Job is over, and why; failures are looked for first. */
export function endOf(
  job: Job,
  pods: readonly Pod[],
  tally: Tally,
  startTime: string | undefined,
  now: number,
): End | undefined {
  const { spec } = job
  const { active, failed, succeeded, fatal, indexed } = tally
  if (fatal !== undefined) return { type: 'Failed', reason: 'PodFailurePolicy', message: fatal }
  const limit = spec.backoffLimit ?? 6
  const restarts =
    spec.template.spec.restartPolicy === 'OnFailure' ? pods.reduce((sum, pod) => sum + restartsOf(pod), 0) : 0
  if (failed.length > limit || (restarts > 0 && restarts >= limit))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  const seconds = spec.activeDeadlineSeconds
  if (
    seconds !== undefined &&
    startTime !== undefined &&
    !spec.suspend &&
    now >= Date.parse(startTime) + seconds * 1000
  )
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  if (indexed !== undefined) return endOfIndexed(job, indexed)
  const isDone = spec.completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= spec.completions
  return isDone ? completed : undefined
}

function endOfIndexed(job: Job, indexed: Indexed): End | undefined {
  const { maxFailedIndexes } = job.spec
  if (maxFailedIndexes !== undefined && indexed.failed.size > maxFailedIndexes)
    return {
      type: 'Failed',
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    }
  const rule = metSuccessRule(job, indexed)
  if (rule !== undefined)
    return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` }
  if (indexed.completed.size + indexed.failed.size < indexed.completions) return undefined
  if (indexed.failed.size === 0) return completed
  return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' }
}

function restartsOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0)
}
