import { compileRule } from './compile.ts'
import { describeOperation } from './describe.ts'
import { checkDepth } from './fake-depth.ts'
import { FakeSet, NftError } from './fake-set.ts'
import type { Chain, Element, Operation, Rule, SetDeclaration, Table, TableFamily, Transaction } from './language.ts'
import { parseVerdict } from './render-words.ts'
import { referencedChains, referencedSets, type State, tableKey } from './state.ts'

/** A chain of the fake, as it is now. */
export interface FakeChain {
  declaration: Omit<Chain, 'rules'>
  rules: Rule[]
}

/** A table of the fake, as it is now. */
export interface FakeTable {
  readonly family: TableFamily
  readonly name: string
  readonly comment?: string
  readonly sets: Map<string, FakeSet>
  readonly chains: Map<string, FakeChain>
}

/** What undoes one step. */
type Undo = () => void

/**
 * An nftables in memory: takes transactions whole or not at all, and refuses what the kernel refuses, with its errno, for the
 * same reasons (net/netfilter/nf_tables_api.c). Timeouts do not run.
 */
export class FakeNftables {
  readonly #tables = new Map<string, FakeTable>()

  /** Applies a transaction, or throws an `NftError` that names the first operation refused and leaves everything as it was. */
  apply(transaction: Transaction): void {
    const undo: Undo[] = []
    let index = 0
    try {
      for (; index < transaction.length; index++) this.#step(transaction[index]!, undo)
      for (const table of this.#changedJumps(transaction)) checkDepth(table)
    } catch (error) {
      for (const step of undo.toReversed()) step()
      const operation = transaction[index]
      if (!(error instanceof NftError)) throw error
      throw new NftError(error.errno, operation ? describeOperation(operation) : 'commit', error.detail, index)
    }
  }

  /** The tables in which a transaction may have made chains call others. */
  #changedJumps(transaction: Transaction): Set<FakeTable> {
    const changed = new Set<FakeTable>()
    for (const { kind, family, table } of transaction) {
      const of = this.#tables.get(tableKey(family, table))
      if (of !== undefined && (kind === 'add-rule' || kind === 'add-elements')) changed.add(of)
    }
    return changed
  }

  /** The tables in the order in which they were made; base chains of equal priority run in this order. */
  get tables(): readonly FakeTable[] {
    return [...this.#tables.values()]
  }

  /** The elements of one set; `ENOENT` when it is not there. */
  elements(family: TableFamily, table: string, set: string): readonly Element[] {
    return [...getEntry(this.#getTable(family, table).sets, set, 'set').elements.values()]
  }

  /** Everything, for comparison with what was desired. */
  state(): State {
    return new Map(this.tables.map((table) => [tableKey(table.family, table.name), tableState(table)]))
  }

  #getTable(family: TableFamily, name: string): FakeTable {
    return getEntry(this.#tables, tableKey(family, name), 'table')
  }

  #step(operation: Operation, undo: Undo[]): void {
    const { family, table: name } = operation
    const key = tableKey(family, name)
    switch (operation.kind) {
      case 'add-table':
        if (!this.#tables.has(key)) put(this.#tables, key, makeTable(operation), undo)
        return
      case 'destroy-table':
        if (this.#tables.has(key)) remove(this.#tables, key, undo)
        return
      case 'delete-table':
        this.#getTable(family, name)
        remove(this.#tables, key, undo)
        return
      default:
        stepInTable(this.#getTable(family, name), operation, undo)
    }
  }
}

type InTable = Exclude<Operation, { kind: 'add-table' | 'delete-table' | 'destroy-table' }>

function stepInTable(table: FakeTable, operation: InTable, undo: Undo[]): void {
  switch (operation.kind) {
    case 'add-chain':
      addChain(table, operation.chain, undo)
      return
    case 'flush-chain': {
      const chain = getEntry(table.chains, operation.chain, 'chain')
      const { rules } = chain
      chain.rules = []
      undo.push(() => {
        chain.rules = rules
      })
      return
    }
    case 'delete-chain': {
      const { rules } = getEntry(table.chains, operation.chain, 'chain')
      if (rules.length > 0) throw new NftError('EBUSY', '', 'the chain has rules')
      if (chainIsUsed(table, operation.chain))
        throw new NftError('EBUSY', '', 'a rule or an element jumps to the chain')
      remove(table.chains, operation.chain, undo)
      return
    }
    case 'add-rule': {
      const chain = getEntry(table.chains, operation.chain, 'chain')
      checkRule(table, operation.rule)
      const { rules } = chain
      chain.rules = [...rules, operation.rule]
      undo.push(() => {
        chain.rules = rules
      })
      return
    }
    case 'add-set':
      addSet(table, operation.set, undo)
      return
    case 'delete-set':
      getEntry(table.sets, operation.set, 'set')
      if (setIsUsed(table, operation.set)) throw new NftError('EBUSY', '', 'a rule uses the set')
      remove(table.sets, operation.set, undo)
      return
    case 'flush-set': {
      const set = getEntry(table.sets, operation.set, 'set')
      for (const element of [...set.elements.values()]) undo.push(set.delete(element.key))
      return
    }
    case 'add-elements': {
      const set = getEntry(table.sets, operation.set.name, 'set')
      for (const element of operation.elements) {
        checkElement(table, set, element)
        undo.push(set.add(element))
      }
      return
    }
    case 'delete-elements': {
      const set = getEntry(table.sets, operation.set.name, 'set')
      for (const { key } of operation.elements) undo.push(set.delete(key))
      return
    }
    default:
      operation satisfies never
  }
}

function makeTable({ family, table, comment }: Extract<Operation, { kind: 'add-table' }>): FakeTable {
  return { family, name: table, ...(comment === undefined ? {} : { comment }), sets: new Map(), chains: new Map() }
}

/** A chain that exists keeps its hook; only its policy changes. */
function addChain(table: FakeTable, declaration: Omit<Chain, 'rules'>, undo: Undo[]): void {
  const known = table.chains.get(declaration.name)
  if (known === undefined) {
    put(table.chains, declaration.name, { declaration, rules: [] }, undo)
    return
  }
  const before = known.declaration
  const [old, hook] = [before.hook, declaration.hook]
  if (hook === undefined) return
  if (old === undefined || old.type !== hook.type || old.hook !== hook.hook || old.priority !== hook.priority) {
    throw new NftError('EEXIST', '', 'the chain has another hook')
  }
  known.declaration = { ...before, hook }
  undo.push(() => {
    known.declaration = before
  })
}

function addSet(table: FakeTable, set: SetDeclaration, undo: Undo[]): void {
  const known = table.sets.get(set.name)
  if (known === undefined) put(table.sets, set.name, new FakeSet(set), undo)
  else if (!known.isLike(set)) throw new NftError('EEXIST', '', 'the set has another type or other flags')
}

function checkRule(table: FakeTable, rule: Rule): void {
  try {
    compileRule(table.family, rule)
  } catch (cause) {
    throw new NftError('EINVAL', '', (cause as Error).message)
  }
  for (const name of referencedSets(rule)) getEntry(table.sets, name, 'set')
  for (const name of referencedChains(rule)) getJumpTarget(table, name)
  for (const statement of rule.statements) {
    if (statement.kind !== 'update') continue
    const { flags = [] } = getEntry(table.sets, statement.set, 'set').declaration
    if (!flags.includes('dynamic')) throw new NftError('EOPNOTSUPP', '', `set ${statement.set} lacks the flag dynamic`)
  }
}

function checkElement(table: FakeTable, set: FakeSet, { key, value }: Element): void {
  if (set.shape.value !== 'verdict') return
  if (value === undefined) throw new NftError('EINVAL', '', `element ${key} has no verdict`)
  const verdict = parseVerdict(value)
  if ('chain' in verdict) getJumpTarget(table, verdict.chain)
}

function getJumpTarget(table: FakeTable, name: string): void {
  const { hook } = getEntry(table.chains, name, 'chain').declaration
  if (hook !== undefined) throw new NftError('EOPNOTSUPP', '', `chain ${name} has a hook and cannot be jumped to`)
}

function chainIsUsed(table: FakeTable, name: string): boolean {
  const byRule = [...table.chains.values()].some(({ rules }) => rules.some((rule) => referencedChains(rule).has(name)))
  return byRule || [...table.sets.values()].some((set) => set.jumpsTo(name))
}

function setIsUsed(table: FakeTable, name: string): boolean {
  return [...table.chains.values()].some(({ rules }) => rules.some((rule) => referencedSets(rule).has(name)))
}

function tableState(table: FakeTable): { table: Table; elements: Map<string, Map<string, Element>> } {
  const { family, name, comment } = table
  return {
    table: {
      family,
      name,
      ...(comment === undefined ? {} : { comment }),
      sets: [...table.sets.values()].map(({ declaration }) => declaration),
      chains: [...table.chains.values()].map(({ declaration, rules }) => ({ ...declaration, rules })),
    },
    elements: new Map([...table.sets].map(([set, { elements }]) => [set, new Map(elements)])),
  }
}

function getEntry<V>(map: ReadonlyMap<string, V>, name: string, what: string): V {
  const entry = map.get(name)
  if (entry === undefined) throw new NftError('ENOENT', '', `there is no ${what} ${name}`)
  return entry
}

function put<V>(map: Map<string, V>, name: string, value: V, undo: Undo[]): void {
  map.set(name, value)
  undo.push(() => map.delete(name))
}

/** Undoing keeps the order, because chains of equal priority run in it. */
function remove<V>(map: Map<string, V>, name: string, undo: Undo[]): void {
  const entries = [...map]
  map.delete(name)
  undo.push(() => {
    map.clear()
    for (const [key, value] of entries) map.set(key, value)
  })
}
