import { compileExpression, firstLine, type Program } from '../cel/index.ts'
import type { NamedExpression } from '../objects/index.ts'

/** Whether the conditions of a webhook or policy hold; `error` when one of them cannot be told and none is false. */
export type Holds =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no' }
  | { readonly kind: 'error'; readonly because: string }

/** The checker of matchConditions; each is compiled at first use. */
export function compileConditions(
  conditions: readonly NamedExpression[] | undefined,
): (variables: Readonly<Record<string, unknown>>) => Holds {
  const compiled = (conditions ?? []).map(({ name, expression }) => ({ name, run: compileExpression(expression) }))
  return (variables) => {
    const errors: string[] = []
    for (const { name, run } of compiled) {
      const result = boolean(run, variables)
      if (result === false) return { kind: 'no' }
      if (result !== true) errors.push(`matchCondition ${JSON.stringify(name)}: ${result}`)
    }
    return errors.length === 0 ? { kind: 'yes' } : { kind: 'error', because: errors.join(', ') }
  }
}

/** What an expression says, or in words why it says neither. */
export function boolean(run: Program, variables: Readonly<Record<string, unknown>>): boolean | string {
  try {
    const value = run(variables)
    return typeof value === 'boolean' ? value : 'the expression does not evaluate to a bool'
  } catch (error) {
    return firstLine(error)
  }
}
