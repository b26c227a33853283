import type { FieldError } from './contract.ts'
import { complaints, forbidden, invalid, required } from './field-error.ts'
import { labelValueRule, qualifiedNameRule } from './names.ts'
import type { LabelSelector } from './types.ts'
import { validateLabels } from './validate-metadata.ts'

/** Upstream's `ValidateLabelSelector`. */
export function validateSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  const errors = validateLabels(selector?.matchLabels, `${path}.matchLabels`)
  for (const [index, { key = '', operator, values = [] }] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`
    switch (operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0)
          errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
        break
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0)
          errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        break
      default:
        errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    }
    errors.push(...complaints(`${at}.key`, key, qualifiedNameRule(key)))
    for (const [position, value] of values.entries())
      errors.push(...complaints(`${at}.values[${position}]`, value, labelValueRule(value)))
  }
  return errors
}

/** Whether a selector names no label at all. */
export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0
}

/** Whether labels satisfy a selector; an empty one matches everything. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const given = (key: string) => Object.hasOwn(labels, key)
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (!given(key) || labels[key] !== value) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return given(key) && values.includes(labels[key] as string)
      case 'NotIn':
        return !given(key) || !values.includes(labels[key] as string)
      case 'Exists':
        return given(key)
      case 'DoesNotExist':
        return !given(key)
      default:
        return operator satisfies never
    }
  })
}
