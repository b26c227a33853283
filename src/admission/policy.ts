import { compileExpression, firstLine, type Program } from '../cel/index.ts'
import type { PolicyValidation, ValidatingAdmissionPolicy } from '../objects/index.ts'
import { boolean, compileConditions } from './conditions.ts'

type Variables = Readonly<Record<string, unknown>>

/** One check that failed, or could not be made while the policy says that this is a failure. */
export interface Failure {
  readonly message: string
  readonly reason: string
  readonly expressionIndex: number
}

/** What a policy says of one write with one set of parameters. */
export interface Verdict {
  readonly failures: readonly Failure[]
  /** By key, without the policy's name. */
  readonly annotations: Readonly<Record<string, string>>
}

/** A policy whose expressions are compiled at first use. */
export type CompiledPolicy = (conditionVariables: Variables, params: unknown, namespaceObject: unknown) => Verdict

const nothing: Verdict = { failures: [], annotations: {} }

/** The judge that a ValidatingAdmissionPolicy describes. Never throws: what cannot be evaluated is decided by its failurePolicy. */
export function compilePolicy({ spec }: ValidatingAdmissionPolicy): CompiledPolicy {
  const conditions = compileConditions(spec.matchConditions)
  const validations = (spec.validations ?? []).map(compileValidation)
  const annotations = (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
    key,
    run: compileExpression(valueExpression),
    text: valueExpression,
  }))
  const variables = (spec.variables ?? []).map(({ name, expression }) => [name, compileExpression(expression)] as const)
  const strict = spec.failurePolicy !== 'Ignore'
  return (conditionVariables, params, namespaceObject) => {
    const base = { ...conditionVariables, params, namespaceObject }
    const holds = conditions(base)
    if (holds.kind === 'no') return nothing
    if (holds.kind === 'error') return strict ? { failures: [broken(holds.because, 0)], annotations: {} } : nothing
    const all = { ...base, variables: lazy(variables, base) }
    const failures = validations.flatMap((check, index) => check(all, index, strict) ?? [])
    const found: Record<string, string> = {}
    for (const { key, run, text } of annotations) {
      const value = annotate(run, all)
      if (typeof value === 'string') found[key] = value
      else if (value !== undefined && strict)
        failures.push(broken(`expression '${text}' resulted in error: ${value.because}`, validations.length))
    }
    return { failures, annotations: found }
  }
}

/** Variables are evaluated when they are first asked for, and once; each sees those before it. */
function lazy(variables: readonly (readonly [string, Program])[], base: Variables): Variables {
  const getters: PropertyDescriptorMap = {}
  for (const [name, run] of variables) {
    const earlier = Object.defineProperties({}, getters)
    let made: { readonly value: unknown } | undefined
    const get = () => {
      made ??= { value: run({ ...base, variables: earlier }) }
      return made.value
    }
    Object.defineProperty(getters, name, { value: { get, enumerable: true }, enumerable: true, configurable: true })
  }
  return Object.defineProperties({}, getters)
}

function compileValidation({ expression, message, messageExpression, reason = 'Invalid' }: PolicyValidation) {
  const run = compileExpression(expression)
  const explain = messageExpression === undefined ? undefined : compileExpression(messageExpression)
  return (variables: Variables, index: number, strict: boolean): Failure | undefined => {
    const result = boolean(run, variables)
    if (result === true) return undefined
    if (result !== false)
      return strict ? broken(`expression '${expression}' resulted in error: ${result}`, index) : undefined
    const text = explained(explain, variables) ?? (message?.trim() || `failed expression: ${expression.trim()}`)
    return { message: text, reason, expressionIndex: index }
  }
}

const longestMessage = 5 * 1024

function explained(explain: Program | undefined, variables: Variables): string | undefined {
  try {
    const text = explain?.(variables)
    const usable =
      typeof text === 'string' && text.trim() !== '' && !text.includes('\n') && text.length <= longestMessage
    return usable ? text.trim() : undefined
  } catch {
    // Upstream falls back to the message, whatever the failure policy is.
    return undefined
  }
}

function annotate(run: Program, variables: Variables): string | undefined | { readonly because: string } {
  try {
    const value = run(variables)
    if (value === null) return undefined
    return typeof value === 'string'
      ? value.slice(0, 10 * 1024)
      : { because: 'the expression does not evaluate to a string' }
  } catch (error) {
    return { because: firstLine(error) }
  }
}

function broken(message: string, expressionIndex: number): Failure {
  return { message, reason: 'Invalid', expressionIndex }
}
