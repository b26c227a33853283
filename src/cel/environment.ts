import { createRequire } from 'node:module'
import { isDeepStrictEqual } from 'node:util'
import type * as Cel from '@marcbachmann/cel-js'
import { registerAuthorizer } from './authorizer.ts'
import { toDialect } from './dialect.ts'
import { registerFormats } from './formats.ts'
import { registerNetwork } from './network.ts'
import { registerQuantity } from './quantity.ts'
import { re2 } from './re2.ts'
import { registerUrls } from './urls.ts'

/** Evaluates an expression over variables by name. Throws with the evaluator's words. */
export type Program = (variables: Readonly<Record<string, unknown>>) => unknown

/** A program that is compiled at its first run. */
export function compileExpression(text: string): Program {
  let parsed: ((context: Record<string, unknown>) => unknown) | undefined
  return (variables) => {
    parsed ??= environment().parse(toDialect(text))
    return parsed(variables)
  }
}

/** Why an expression does not compile, in the evaluator's words; undefined for one that does. */
export function expressionProblem(text: string): string | undefined {
  try {
    environment().parse(toDialect(text))
    return undefined
  } catch (error) {
    return firstLine(error)
  }
}

/** A JSON value as expressions see it where no schema says more: whole numbers are `int`, all others `double`. */
export function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(celValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, celValue(item)]))
}

/** The first line of an error's message: what follows shows the expression again. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!
}

let shared: Cel.Environment | undefined

/** The expression language with the part of Kubernetes' own library that schemas use most. Loaded at first use. */
function environment(): Cel.Environment {
  if (shared !== undefined) return shared
  const { Environment } = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof Cel
  const options = { unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, enableOptionalTypes: true }
  shared = new Environment(options)
  for (const register of [registerAuthorizer, registerQuantity, registerNetwork, registerFormats, registerUrls])
    register(shared)
  shared
    .registerFunction('string.matchesRe2(string): bool', matches)
    .registerFunction('matchesRe2(string, string): bool', matches)
    .registerFunction('string.find(string): string', (text: string, form: string) => {
      const matcher = re2(form).matcher(text)
      return matcher.find() ? (matcher.group() ?? '') : ''
    })
    .registerFunction('string.findAll(string): list<string>', (text: string, form: string) => findAll(text, form, -1n))
    .registerFunction('string.findAll(string, int): list<string>', findAll)
    .registerFunction('list.indexOf(dyn): int', (list: unknown[], item: unknown) =>
      BigInt(list.findIndex((other) => isDeepStrictEqual(other, item))),
    )
    .registerFunction('list.lastIndexOf(dyn): int', (list: unknown[], item: unknown) =>
      BigInt(list.findLastIndex((other) => isDeepStrictEqual(other, item))),
    )
    .registerFunction('list.isSorted(): bool', (list: unknown[]) =>
      list.every((item, i) => i === 0 || (list[i - 1] as string) <= (item as string)),
    )
    .registerFunction('list.sum(): dyn', (list: (number | bigint)[]) =>
      list.reduce((a, b) => (a as number) + (b as number), typeof list[0] === 'number' ? 0 : (0n as unknown as number)),
    )
    .registerFunction('list.min(): dyn', (list: unknown[]) => [...list].sort(ascending)[0])
    .registerFunction('list.max(): dyn', (list: unknown[]) => [...list].sort(ascending).at(-1))
  return shared
}

function matches(text: string, form: string): boolean {
  return re2(form).matcher(text).find()
}

/** What matches, at most `limit` of it; all when that is below zero. */
function findAll(text: string, form: string, limit: bigint): string[] {
  const matcher = re2(form).matcher(text)
  const found: string[] = []
  while ((limit < 0n || found.length < Number(limit)) && matcher.find()) found.push(matcher.group() ?? '')
  return found
}

function ascending(a: unknown, b: unknown): number {
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}
