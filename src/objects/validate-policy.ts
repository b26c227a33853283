import type { FieldError } from './contract.ts'
import type {
  MatchResources,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from './defaults-admission.ts'
import { complaints, duplicate, forbidden, invalid, required } from './field-error.ts'
import { qualifiedNameRule } from './names.ts'
import { validateSelector } from './validate-selector.ts'
import { oneOf, validateConditions, validateRule } from './validate-webhook.ts'

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized']
const actions = ['Audit', 'Deny', 'Warn']

/** Upstream's `ValidateValidatingAdmissionPolicy`, save that the expressions compile. */
export function validateAdmissionPolicy({ spec }: ValidatingAdmissionPolicy): FieldError[] {
  if (spec === undefined) return [required('spec')]
  const { validations = [], auditAnnotations = [], matchConstraints, paramKind, variables = [] } = spec
  const errors = oneOf('spec.failurePolicy', spec.failurePolicy, ['Fail', 'Ignore'])
  if (paramKind !== undefined)
    for (const field of ['apiVersion', 'kind'] as const)
      if (!paramKind[field]) errors.push(required(`spec.paramKind.${field}`))
  if (matchConstraints === undefined) errors.push(required('spec.matchConstraints'))
  else {
    errors.push(...validateMatch(matchConstraints, 'spec.matchConstraints'))
    if (!matchConstraints.resourceRules?.length) errors.push(required('spec.matchConstraints.resourceRules'))
  }
  errors.push(...validateConditions(spec.matchConditions, 'spec.matchConditions'))
  errors.push(...validateVariables(variables))
  if (validations.length === 0 && auditAnnotations.length === 0)
    errors.push(required('spec.validations', 'validations or auditAnnotations must contain at least one item'))
  for (const [index, { expression, message, reason }] of validations.entries()) {
    const at = `spec.validations[${index}]`
    if (!expression?.trim()) errors.push(required(`${at}.expression`, 'expression is not specified'))
    if (message !== undefined && message.trim() === '')
      errors.push(invalid(`${at}.message`, message, 'message must be non-empty if specified'))
    if (message?.trim().includes('\n'))
      errors.push(invalid(`${at}.message`, message, 'message must not contain line breaks'))
    errors.push(...oneOf(`${at}.reason`, reason, reasons))
  }
  const keys = new Set<string>()
  for (const [index, { key, valueExpression }] of auditAnnotations.entries()) {
    const at = `spec.auditAnnotations[${index}]`
    errors.push(...complaints(`${at}.key`, key, qualifiedNameRule(key ?? '')))
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key))
    keys.add(key)
    if (!valueExpression?.trim()) errors.push(required(`${at}.valueExpression`, 'valueExpression is not specified'))
  }
  return errors
}

function validateVariables(variables: readonly { name: string; expression: string }[]): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  for (const [index, { name, expression }] of variables.entries()) {
    const at = `spec.variables[${index}]`
    if (!name) errors.push(required(`${at}.name`, 'name is not specified'))
    else if (!/^[A-Za-z_]\w*$/.test(name))
      errors.push(invalid(`${at}.name`, name, 'name is not a valid CEL identifier'))
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name))
    names.add(name)
    if (!expression?.trim()) errors.push(required(`${at}.expression`, 'expression is not specified'))
  }
  return errors
}

function validateMatch(match: MatchResources, at: string): FieldError[] {
  const errors = oneOf(`${at}.matchPolicy`, match.matchPolicy, ['Equivalent', 'Exact'])
  errors.push(...validateSelector(match.namespaceSelector, `${at}.namespaceSelector`))
  errors.push(...validateSelector(match.objectSelector, `${at}.objectSelector`))
  for (const field of ['resourceRules', 'excludeResourceRules'] as const)
    for (const [index, rule] of (match[field] ?? []).entries())
      errors.push(...validateRule(rule, `${at}.${field}[${index}]`))
  return errors
}

/** Upstream's `ValidateValidatingAdmissionPolicyBinding`. */
export function validatePolicyBinding({ spec }: ValidatingAdmissionPolicyBinding): FieldError[] {
  if (spec === undefined) return [required('spec')]
  const { policyName, paramRef, matchResources, validationActions = [] } = spec
  const errors: FieldError[] = policyName ? [] : [required('spec.policyName')]
  if (paramRef !== undefined) {
    const { name, selector, parameterNotFoundAction } = paramRef
    if (!name && selector === undefined)
      errors.push(required('spec.paramRef', 'one of name or selector must be specified'))
    if (name && selector !== undefined)
      errors.push(forbidden('spec.paramRef.name', 'name and selector are mutually exclusive'))
    errors.push(...validateSelector(selector, 'spec.paramRef.selector'))
    if (parameterNotFoundAction === undefined) errors.push(required('spec.paramRef.parameterNotFoundAction'))
    else errors.push(...oneOf('spec.paramRef.parameterNotFoundAction', parameterNotFoundAction, ['Allow', 'Deny']))
  }
  if (matchResources !== undefined) errors.push(...validateMatch(matchResources, 'spec.matchResources'))
  const at = 'spec.validationActions'
  if (validationActions.length === 0) errors.push(required(at, 'at least one validation action is required'))
  for (const [index, action] of validationActions.entries()) {
    errors.push(...oneOf(`${at}[${index}]`, action, actions))
    if (validationActions.indexOf(action) !== index) errors.push(duplicate(`${at}[${index}]`, action))
  }
  if (validationActions.includes('Deny') && validationActions.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'
    errors.push(invalid(at, validationActions, detail))
  }
  return errors
}
