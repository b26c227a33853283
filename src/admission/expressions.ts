import { expressionProblem } from '../cel/index.ts'
import type {
  FieldError,
  KubeObject,
  NamedExpression,
  ValidatingAdmissionPolicy,
  WebhookConfiguration,
} from '../objects/index.ts'

/** The expressions of a webhook configuration or policy that do not compile, as errors of their fields. */
export function expressionErrors(object: KubeObject): FieldError[] {
  const webhooks = (object as WebhookConfiguration).webhooks ?? []
  const errors = webhooks.flatMap(({ matchConditions }, index) => ofConditions(matchConditions, `webhooks[${index}]`))
  const { spec } = object as Partial<ValidatingAdmissionPolicy>
  if (spec === undefined) return errors
  const { variables = [], validations = [], auditAnnotations = [] } = spec
  errors.push(...ofConditions(spec.matchConditions, 'spec'))
  for (const [index, { expression }] of variables.entries())
    errors.push(...problem(`spec.variables[${index}].expression`, expression))
  for (const [index, { expression, messageExpression }] of validations.entries()) {
    errors.push(...problem(`spec.validations[${index}].expression`, expression))
    errors.push(...problem(`spec.validations[${index}].messageExpression`, messageExpression))
  }
  for (const [index, { valueExpression }] of auditAnnotations.entries())
    errors.push(...problem(`spec.auditAnnotations[${index}].valueExpression`, valueExpression))
  return errors
}

function ofConditions(conditions: readonly NamedExpression[] | undefined, at: string): FieldError[] {
  return (conditions ?? []).flatMap(({ expression }, index) =>
    problem(`${at}.matchConditions[${index}].expression`, expression),
  )
}

/** What is left out is told by the kind's own validation. */
function problem(field: string, text: string | undefined): FieldError[] {
  const found = text?.trim() ? expressionProblem(text) : undefined
  if (found === undefined) return []
  return [
    {
      reason: 'FieldValueInvalid',
      field,
      message: `Invalid value: ${JSON.stringify(text)}: compilation failed: ${found}`,
    },
  ]
}
