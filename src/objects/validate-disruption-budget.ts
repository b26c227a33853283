import type { FieldError } from './contract.ts'
import { invalid, nonNegative, notSupported } from './field-error.ts'
import type { PodDisruptionBudget } from './types.ts'
import { validateSelector } from './validate-selector.ts'

const policies = ['AlwaysAllow', 'IfHealthyBudget']

/** Upstream's `ValidatePodDisruptionBudget`. */
export function validateDisruptionBudget({ spec = {} }: PodDisruptionBudget): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec
  const errors =
    minAvailable !== undefined && maxUnavailable !== undefined
      ? [invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []
  errors.push(...countOrShare('spec.minAvailable', minAvailable))
  errors.push(...countOrShare('spec.maxUnavailable', maxUnavailable))
  if (policy !== undefined && !policies.includes(policy))
    errors.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, policies))
  return selector === undefined ? errors : [...errors, ...validateSelector(selector, 'spec.selector')]
}

/** A number of pods, or a share of them up to 100%. */
function countOrShare(field: string, value: number | string | undefined): FieldError[] {
  if (typeof value !== 'string') return nonNegative(field, value)
  const share = /^([0-9]+)%$/.exec(value)?.[1]
  if (share === undefined)
    return [
      invalid(
        field,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ]
  return Number(share) > 100 ? [invalid(field, value, 'must not be greater than 100%')] : []
}
