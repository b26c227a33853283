import type { Job, Pod } from '../objects/index.ts'
import { judgeFailure } from './job-failures.ts'
import { type Indexed, surveyIndexes } from './job-index.ts'
import { hasEnded, isActive } from './pod-state.ts'

/** A Job's pods, as they count. */
export interface Tally {
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
  /** Terminating pods that nobody replaces before they have ended (podReplacementPolicy Failed). */
  readonly waited: readonly Pod[]
  readonly succeeded: number
  /** Those whose failure counts. */
  readonly failed: readonly Pod[]
  /** Why a rule of the podFailurePolicy fails the whole Job. */
  readonly fatal: string | undefined
  readonly indexed: Indexed | undefined
}

/** Counts the pods that a Job owns. */
export function tallyPods(job: Job, pods: readonly Pod[]): Tally {
  const judge = (pod: Pod) => judgeFailure(job, pod)
  const isPatient = job.spec.podReplacementPolicy === 'Failed'
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !hasEnded(pod))
  const ended = pods.filter(({ status }) => status?.phase === 'Failed')
  const failed = ended.filter((pod) => judge(pod).kind !== 'ignore')
  const fatal = ended.map(judge).find((failure) => failure.kind === 'fail-job')
  const indexed = job.spec.completionMode === 'Indexed' ? surveyIndexes(job, pods, judge) : undefined
  return {
    active: pods.filter(isActive),
    terminating,
    waited: isPatient ? terminating : [],
    succeeded: indexed?.completed.size ?? pods.filter(({ status }) => status?.phase === 'Succeeded').length,
    failed: isPatient ? failed : [...failed, ...terminating],
    fatal: fatal?.message,
    indexed,
  }
}
