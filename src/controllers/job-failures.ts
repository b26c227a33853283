import type { Job, Pod, PodFailureRule } from '../objects/index.ts'

/** What a failed pod means: a rule of the Job's podFailurePolicy, or a failure that counts. */
export type Failure =
  | { readonly kind: 'count' }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'fail-index' }
  | { readonly kind: 'fail-job'; readonly message: string }

/** By the first rule that matches (KEP-3329); a failure counts when none does. */
export function judgeFailure(job: Job, pod: Pod): Failure {
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const because = matchOf(rule, pod)
    if (because === undefined) continue
    switch (rule.action) {
      case 'Ignore':
        return { kind: 'ignore' }
      case 'FailIndex':
        return job.spec.backoffLimitPerIndex === undefined ? { kind: 'count' } : { kind: 'fail-index' }
      case 'FailJob':
        return { kind: 'fail-job', message: `${because} matching FailJob rule at index ${i}` }
      case 'Count':
        return { kind: 'count' }
    }
  }
  return { kind: 'count' }
}

function matchOf({ onExitCodes, onPodConditions = [] }: PodFailureRule, pod: Pod): string | undefined {
  const { namespace, name } = pod.metadata
  if (onExitCodes !== undefined) {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {}
    for (const { name: container, state } of [...containerStatuses, ...initContainerStatuses]) {
      const code = state?.terminated?.exitCode
      if (code === undefined || code === 0) continue
      if (onExitCodes.containerName !== undefined && onExitCodes.containerName !== container) continue
      if (onExitCodes.values.includes(code) === (onExitCodes.operator === 'In'))
        return `Container ${container} for pod ${namespace}/${name} failed with exit code ${code}`
    }
    return undefined
  }
  for (const { type, status = 'True' } of onPodConditions) {
    if (pod.status?.conditions?.some((condition) => condition.type === type && condition.status === status))
      return `Pod ${namespace}/${name} has condition ${type}`
  }
  return undefined
}
