import type { FieldError } from './contract.ts'
import { immutable, invalid, nonNegative, notSupported, required } from './field-error.ts'
import { dns1123Label } from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type { Job } from './types.ts'
import { validateJobPolicies } from './validate-job-policies.ts'
import { validateSelector } from './validate-selector.ts'
import { validateTemplate } from './validate-workload.ts'

/**
 * Gives a new Job the selector and the template labels that tell its pods from all others (`generateSelector` upstream),
 * unless it selects by hand. The Job must have its uid.
 */
export function prepareNewJob({ metadata, spec }: Job): void {
  if (spec?.template === undefined || spec.manualSelector || !metadata.uid) return
  spec.template.metadata ??= {}
  spec.template.metadata.labels = {
    ...spec.template.metadata.labels,
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name,
    'controller-uid': metadata.uid,
    'job-name': metadata.name,
  }
  spec.selector ??= {}
  spec.selector.matchLabels = {
    ...spec.selector.matchLabels,
    'batch.kubernetes.io/controller-uid': metadata.uid,
  }
}

/** Upstream's `ValidateJob` and its update. */
export function validateJob({ metadata, spec }: Job, old: Job | undefined): FieldError[] {
  if (spec === undefined) return [required('spec.template')]
  const numbers = [
    'parallelism',
    'completions',
    'backoffLimit',
    'activeDeadlineSeconds',
    'ttlSecondsAfterFinished',
  ] as const
  const errors = numbers.flatMap((name) => nonNegative(`spec.${name}`, spec[name]))
  if (spec.selector === undefined) errors.push(required('spec.selector'))
  else errors.push(...validateSelector(spec.selector, 'spec.selector'))
  if (spec.template === undefined) return [...errors, required('spec.template')]
  errors.push(...validateTemplate(spec.template, spec.selector), ...validateRestart(spec))
  errors.push(...validateJobPolicies(spec), ...validateHostName(metadata.name, spec))
  return old === undefined ? errors : [...errors, ...validateFixed(spec, old.spec)]
}

/** The pods of an Indexed Job have host names, which are labels of DNS. */
function validateHostName(name: string, { completionMode, completions }: Job['spec']): FieldError[] {
  if (completionMode !== 'Indexed' || completions === undefined) return []
  const longest = `${name}-${Math.max(0, completions - 1)}`
  return dns1123Label(longest).map((problem) =>
    invalid('metadata.name', name, `will not able to create pod with invalid DNS label "${longest}": ${problem}`),
  )
}

function validateRestart({ template }: Job['spec']): FieldError[] {
  const path = 'spec.template.spec.restartPolicy'
  const policy = template.spec?.restartPolicy ?? ''
  if (policy === '' || policy === 'Always') return [required(path, 'valid values: "OnFailure", "Never"')]
  return policy === 'OnFailure' || policy === 'Never' ? [] : [notSupported(path, policy, ['OnFailure', 'Never'])]
}

function validateFixed(spec: Job['spec'], old: Job['spec']): FieldError[] {
  const errors: FieldError[] = []
  if (!sameMeaning(spec.selector, old.selector)) errors.push(immutable('spec.selector', spec.selector))
  if (!sameMeaning(spec.template, old.template)) errors.push(immutable('spec.template', spec.template))
  // An Indexed Job may grow and shrink as a whole (KEP-3715).
  const isElastic = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism
  if (!sameMeaning(spec.completions, old.completions) && !isElastic)
    errors.push(immutable('spec.completions', spec.completions))
  for (const name of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'successPolicy'] as const)
    if (!sameMeaning(spec[name], old[name])) errors.push(immutable(`spec.${name}`, spec[name]))
  return errors
}
