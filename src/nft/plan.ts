import { isDeepStrictEqual } from 'node:util'
import type { Chain, Element, Operation, SetDeclaration, Table, TableFamily, Transaction } from './language.ts'
import { planElements, planSetElements } from './plan-elements.ts'
import { referencedSets, type State, type TableState } from './state.ts'

/**
 * The operations that turn what is believed into what is desired, for one transaction: in an order in which everything
 * referred to is there, and nothing is deleted that is still referred to (before Linux 6.2 the kernel answers EBUSY).
 * Tables that neither state names are not touched. Equal states need no operation.
 */
export function plan(believed: State, desired: State): Transaction {
  const operations: Operation[] = []
  for (const [key, want] of desired) {
    const have = believed.get(key)
    if (have !== undefined && !mustReplaceTable(have.table, want.table)) operations.push(...planTable(have, want))
    else operations.push(...(have === undefined ? [] : [deleteTable(have.table)]), ...createTable(want))
  }
  for (const [key, have] of believed) if (!desired.has(key)) operations.push(deleteTable(have.table))
  return operations
}

function deleteTable({ family, name }: Table): Operation {
  return { kind: 'delete-table', family, table: name }
}

/** The operations that make a table with all it holds. */
export function createTable(want: TableState): Transaction {
  const { family, name, comment, flowtables = [] } = want.table
  const empty: TableState = { table: { ...want.table, chains: [], sets: [] }, elements: new Map() }
  return [
    { kind: 'add-table', family, table: name, ...(comment === undefined ? {} : { comment }) },
    ...flowtables.map((flowtable): Operation => ({ kind: 'add-flowtable', family, table: name, flowtable })),
    ...planTable(empty, want),
  ]
}

/** Comments of tables and of chains that others jump to cannot be changed in the kernel; flowtables can only grow there. */
function mustReplaceTable(have: Table, want: Table): boolean {
  if (have.comment !== want.comment || !isDeepStrictEqual(have.flowtables, want.flowtables)) return true
  const chainByName = new Map(have.chains.map((chain) => [chain.name, chain]))
  return want.chains.some((chain) => {
    const old = chainByName.get(chain.name)
    if (old === undefined || (old.hook !== undefined && chain.hook !== undefined)) return false
    return old.comment !== chain.comment || (old.hook === undefined) !== (chain.hook === undefined)
  })
}

interface In {
  readonly family: TableFamily
  readonly table: string
}

function planTable(have: TableState, want: TableState): Operation[] {
  const where: In = { family: want.table.family, table: want.table.name }
  const sets = compareSets(have.table.sets, want.table.sets)
  const chains = compareChains(have.table.chains, want.table.chains, sets.replaced)
  const kept = want.table.sets.filter(({ name }) => !sets.added.has(name))
  const elements = kept.map((set) =>
    planSetElements(where.family, where.table, set, have.elements.get(set.name), want.elements.get(set.name)),
  )
  return [
    ...chains.flushed.map((chain): Operation => ({ kind: 'flush-chain', ...where, chain })),
    ...chains.replaced.map((chain): Operation => ({ kind: 'delete-chain', ...where, chain })),
    ...[...sets.replaced.values()].flatMap((set) => deleteSet(where, set)),
    ...elements.flatMap(({ deletions }) => deletions),
    ...[...sets.added.values()].map((set): Operation => ({ kind: 'add-set', ...where, set })),
    ...chains.added.map((chain): Operation => ({ kind: 'add-chain', ...where, chain })),
    ...[...sets.added.values()].flatMap((set) => addAll(where, set, want.elements.get(set.name))),
    ...elements.flatMap(({ additions }) => additions),
    ...chains.rules.flatMap(({ chain, rules }) =>
      rules.map((rule): Operation => ({ kind: 'add-rule', ...where, chain, rule })),
    ),
    ...sets.removed.flatMap((set) => deleteSet(where, set)),
    ...chains.removed.map((chain): Operation => ({ kind: 'delete-chain', ...where, chain })),
  ]
}

/** Verdicts hold on to chains: old kernels release them only when the elements go first. */
function deleteSet(where: In, set: SetDeclaration): Operation[] {
  const flush: Operation[] = set.value?.[0] === 'verdict' ? [{ kind: 'flush-set', ...where, set: set.name }] : []
  return [...flush, { kind: 'delete-set', ...where, set: set.name }]
}

function addAll(
  { family, table }: In,
  set: SetDeclaration,
  elements: ReadonlyMap<string, Element> | undefined,
): Transaction {
  return planElements(
    family,
    table,
    set,
    [...(elements ?? [])].map(([key, after]) => ({ key, after })),
  )
}

interface SetChanges {
  /** New ones, and those declared otherwise than before. */
  readonly added: ReadonlyMap<string, SetDeclaration>
  /** Those declared otherwise, as they were. */
  readonly replaced: ReadonlyMap<string, SetDeclaration>
  readonly removed: readonly SetDeclaration[]
}

function compareSets(have: readonly SetDeclaration[], want: readonly SetDeclaration[]): SetChanges {
  const old = new Map(have.map((set) => [set.name, set]))
  const added = new Map<string, SetDeclaration>()
  const replaced = new Map<string, SetDeclaration>()
  for (const set of want) {
    const before = old.get(set.name)
    if (before === set || isDeepStrictEqual(before, set)) continue
    added.set(set.name, set)
    if (before !== undefined) replaced.set(set.name, before)
  }
  const names = new Set(want.map((set) => set.name))
  return { added, replaced, removed: have.filter((set) => !names.has(set.name)) }
}

interface ChainChanges {
  readonly flushed: readonly string[]
  /** Base chains whose hook or comment changes: deleted, then added again. */
  readonly replaced: readonly string[]
  readonly added: readonly Omit<Chain, 'rules'>[]
  readonly rules: readonly Pick<RuleChange, 'chain' | 'rules'>[]
  readonly removed: readonly string[]
}

interface RuleChange {
  readonly chain: string
  readonly rules: Chain['rules']
  readonly flush: boolean
}

function compareChains(
  have: readonly Chain[],
  want: readonly Chain[],
  replacedSets: ReadonlyMap<string, unknown>,
): ChainChanges {
  const old = new Map(have.map((chain) => [chain.name, chain]))
  const names = new Set(want.map((chain) => chain.name))
  const removed = have.filter((chain) => !names.has(chain.name))
  const replaced = want.filter((chain) => mustReplaceChain(old.get(chain.name), chain))
  const replacedNames = new Set(replaced.map((chain) => chain.name))
  const changes = want.map((chain) => compareRules(old.get(chain.name), chain, replacedNames, replacedSets))
  const hasRules = ({ name }: { name: string }) => (old.get(name)?.rules.length ?? 0) > 0
  return {
    flushed: [
      ...changes.filter(({ flush }) => flush).map(({ chain }) => chain),
      ...removed.filter(hasRules).map(({ name }) => name),
    ],
    replaced: replaced.map(({ name }) => name),
    added: want.filter((chain) => mustAddChain(old.get(chain.name), chain)).map(({ rules: _, ...chain }) => chain),
    rules: changes,
    removed: removed.map(({ name }) => name),
  }
}

function mustAddChain(old: Chain | undefined, chain: Chain): boolean {
  return old === undefined || mustReplaceChain(old, chain) || old.hook?.policy !== chain.hook?.policy
}

/** A hook is fixed when its chain is made; only the policy can be changed. */
function mustReplaceChain(old: Chain | undefined, chain: Chain): boolean {
  if (old?.hook === undefined || chain.hook === undefined) return false
  const { type, hook, priority } = chain.hook
  return (
    old.hook.type !== type || old.hook.hook !== hook || old.hook.priority !== priority || old.comment !== chain.comment
  )
}

/** Rules are written anew when they change, except that more at the end are just added. */
function compareRules(
  old: Chain | undefined,
  chain: Chain,
  replacedChains: ReadonlySet<string>,
  replacedSets: ReadonlyMap<string, unknown>,
): RuleChange {
  const before = old?.rules ?? []
  const { rules, name } = chain
  const grown = before.every((rule, i) => rule === rules[i] || isDeepStrictEqual(rule, rules[i]))
  const broken = before.some((rule) => [...referencedSets(rule)].some((set) => replacedSets.has(set)))
  if (grown && !broken && !replacedChains.has(name))
    return { chain: name, rules: rules.slice(before.length), flush: false }
  return { chain: name, rules, flush: before.length > 0 }
}
