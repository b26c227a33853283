import type { Element, Expression, Rule, Table, TableFamily } from './language.ts'

/** A table with what its sets hold: elements by key text, by set name. */
export interface TableState {
  readonly table: Table
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, Element>>
}

/** What one owner wants of the kernel, or believes of it: tables by `tableKey`. */
export type State = ReadonlyMap<string, TableState>

/** The key of a table in a State: `ip plumb-services`. */
export function tableKey(family: TableFamily, name: string): string {
  return `${family} ${name}`
}

/** A State of these tables; sets that `elements` does not name are empty. */
export function makeState(
  tables: Iterable<{ table: Table; elements?: Readonly<Record<string, readonly Element[]>> }>,
): State {
  const state = new Map<string, TableState>()
  for (const { table, elements = {} } of tables) {
    const bySet = Object.entries(elements).map(
      ([set, list]) => [set, new Map(list.map((element) => [element.key, element]))] as const,
    )
    state.set(tableKey(table.family, table.name), { table, elements: new Map(bySet) })
  }
  return state
}

/** The names of sets and maps that a rule looks up or adds to. */
export function referencedSets(rule: Rule): ReadonlySet<string> {
  const names = new Set<string>()
  for (const statement of rule.statements) {
    if (statement.kind === 'match') {
      if (typeof statement.right === 'object' && 'set' in statement.right) names.add(statement.right.set)
    } else if (statement.kind === 'vmap') {
      if (typeof statement.map === 'string') names.add(statement.map)
    } else if (statement.kind === 'update') names.add(statement.set)
    else if (statement.kind === 'set') collectMaps(statement.value, names)
    else if (statement.kind === 'dnat' || statement.kind === 'snat') collectMaps(statement.to, names)
  }
  return names
}

function collectMaps(expression: Expression, names: Set<string>): void {
  if (expression.kind === 'lookup') names.add(expression.map)
}

/** The chains that a rule jumps or goes to, not through named maps. */
export function referencedChains(rule: Rule): ReadonlySet<string> {
  const names = new Set<string>()
  for (const statement of rule.statements) {
    if (statement.kind === 'verdict') {
      if ('chain' in statement.verdict) names.add(statement.verdict.chain)
    } else if (statement.kind === 'vmap' && typeof statement.map !== 'string') {
      for (const { verdict } of statement.map) if ('chain' in verdict) names.add(verdict.chain)
    }
  }
  return names
}
