import type { FieldError } from './contract.ts'
import { invalid, nonNegative, notSupported, required, tooLong } from './field-error.ts'
import type { Job, PodFailureRule } from './types.ts'

type Spec = Job['spec']

const modes = ['Indexed', 'NonIndexed']
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const operators = ['In', 'NotIn']
const mostIndexedPods = 100_000
const mostRules = 20
const mostExitCodes = 255

/** Upstream's rules for Indexed Jobs, failure and success policies. */
export function validateJobPolicies(spec: Spec): FieldError[] {
  return [
    ...validateMode(spec),
    ...validatePerIndex(spec),
    ...validateFailurePolicy(spec),
    ...validateSuccessPolicy(spec),
    ...validateReplacement(spec),
  ]
}

function validateMode({ completionMode: mode = 'NonIndexed', completions, parallelism = 0 }: Spec): FieldError[] {
  if (!modes.includes(mode)) return [notSupported('spec.completionMode', mode, modes)]
  if (mode !== 'Indexed') return []
  const errors =
    completions === undefined ? [required('spec.completions', 'when completion mode is Indexed')] : ([] as FieldError[])
  if (parallelism > mostIndexedPods) {
    const rule = `must be less than or equal to ${mostIndexedPods} when completion mode is Indexed`
    errors.push(invalid('spec.parallelism', parallelism, rule))
  }
  return errors
}

function validatePerIndex(spec: Spec): FieldError[] {
  const { backoffLimitPerIndex: limit, maxFailedIndexes: most, completionMode, completions, template } = spec
  const errors = [...nonNegative('spec.backoffLimitPerIndex', limit), ...nonNegative('spec.maxFailedIndexes', most)]
  const unindexed = completionMode !== 'Indexed'
  if (limit !== undefined && unindexed)
    errors.push(invalid('spec.backoffLimitPerIndex', limit, 'requires indexed completion mode'))
  if (most !== undefined && unindexed)
    errors.push(invalid('spec.maxFailedIndexes', most, 'requires indexed completion mode'))
  if (most !== undefined && limit === undefined)
    errors.push(required('spec.backoffLimitPerIndex', 'when maxFailedIndexes is specified'))
  if (most !== undefined && completions !== undefined && most > completions)
    errors.push(invalid('spec.maxFailedIndexes', most, 'must be less than or equal to completions'))
  if (limit !== undefined) errors.push(...neverRestarts(template, 'backoffLimitPerIndex'))
  return errors
}

function neverRestarts({ spec }: Spec['template'], because: string): FieldError[] {
  const policy = spec?.restartPolicy
  if (policy === undefined || policy === 'Never') return []
  const path = 'spec.template.spec.restartPolicy'
  return [invalid(path, policy, `only "Never" is supported when ${because} is specified`)]
}

function validateFailurePolicy({ podFailurePolicy: policy, template, backoffLimitPerIndex }: Spec): FieldError[] {
  if (policy === undefined) return []
  const path = 'spec.podFailurePolicy.rules'
  const rules = policy.rules ?? []
  const names = [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])].map(({ name }) => name)
  const errors = neverRestarts(template, 'podFailurePolicy')
  if (rules.length > mostRules) errors.push(tooLong(path, mostRules))
  for (const [i, rule] of rules.entries())
    errors.push(...validateFailureRule(rule, `${path}[${i}]`, names, backoffLimitPerIndex !== undefined))
  return errors
}

function validateFailureRule(
  { action, onExitCodes, onPodConditions }: PodFailureRule,
  path: string,
  containers: readonly string[],
  perIndex: boolean,
): FieldError[] {
  const errors: FieldError[] = []
  if (!action) errors.push(required(`${path}.action`, `valid values: ${actions.map((one) => `"${one}"`).join(', ')}`))
  else if (!actions.includes(action)) errors.push(notSupported(`${path}.action`, action, actions))
  else if (action === 'FailIndex' && !perIndex)
    errors.push(invalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'))
  const conditions = onPodConditions ?? []
  if (onExitCodes !== undefined && conditions.length > 0)
    errors.push(invalid(path, '', 'specifying both OnExitCodes and OnPodConditions is not supported'))
  if (onExitCodes === undefined && conditions.length === 0)
    errors.push(invalid(path, '', 'specifying one of OnExitCodes and OnPodConditions is required'))
  if (onExitCodes !== undefined) errors.push(...validateExitCodes(onExitCodes, `${path}.onExitCodes`, containers))
  for (const [i, { type, status }] of conditions.entries()) {
    const at = `${path}.onPodConditions[${i}]`
    if (!type) errors.push(required(`${at}.type`))
    if (status !== undefined && !['True', 'False', 'Unknown'].includes(status))
      errors.push(notSupported(`${at}.status`, status, ['True', 'False', 'Unknown']))
  }
  return errors
}

function validateExitCodes(
  { containerName, operator, values = [] }: NonNullable<PodFailureRule['onExitCodes']>,
  path: string,
  containers: readonly string[],
): FieldError[] {
  const errors: FieldError[] = []
  if (!operators.includes(operator)) errors.push(notSupported(`${path}.operator`, operator, operators))
  if (containerName !== undefined && !containers.includes(containerName))
    errors.push(
      invalid(
        `${path}.containerName`,
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    )
  if (values.length === 0) errors.push(invalid(`${path}.values`, values, 'at least one value is required'))
  if (values.length > mostExitCodes) errors.push(tooLong(`${path}.values`, mostExitCodes))
  for (const [i, value] of values.entries()) {
    if (value === 0 && operator === 'In')
      errors.push(invalid(`${path}.values[${i}]`, value, 'must not be 0 for the In operator'))
    if (i > 0 && values[i - 1]! > value) {
      errors.push(invalid(`${path}.values`, values, 'must be ordered'))
      break
    }
  }
  return errors
}

function validateSuccessPolicy({ successPolicy: policy, completionMode, completions = 0 }: Spec): FieldError[] {
  if (policy === undefined) return []
  if (completionMode !== 'Indexed') return [invalid('spec.successPolicy', policy, 'requires indexed completion mode')]
  const path = 'spec.successPolicy.rules'
  const rules = policy.rules ?? []
  if (rules.length === 0)
    return [required(path, 'at least one rules must be specified when the successPolicy is specified')]
  const errors = rules.length > mostRules ? [tooLong(path, mostRules)] : []
  for (const [i, { succeededCount, succeededIndexes }] of rules.entries()) {
    const at = `${path}[${i}]`
    if (succeededCount === undefined && succeededIndexes === undefined)
      errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'))
    if (succeededCount !== undefined && (succeededCount < 1 || succeededCount > completions))
      errors.push(
        invalid(`${at}.succeededCount`, succeededCount, `must be between 1 and ${completions}, the completions`),
      )
    if (succeededIndexes !== undefined && !areIndexes(succeededIndexes, completions))
      errors.push(
        invalid(
          `${at}.succeededIndexes`,
          succeededIndexes,
          'error parsing succeededIndexes: must be a list such as 0,2-4 of rising indexes below completions',
        ),
      )
  }
  return errors
}

function areIndexes(text: string, completions: number): boolean {
  let before = -1
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
    if (first === undefined || Number(first) <= before || Number(last) < Number(first)) return false
    before = Number(last)
  }
  return before < completions
}

function validateReplacement({ podReplacementPolicy: policy, podFailurePolicy }: Spec): FieldError[] {
  if (policy === undefined) return []
  const supported = podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed']
  return supported.includes(policy) ? [] : [notSupported('spec.podReplacementPolicy', policy, supported)]
}
