import { compileRule } from './compile.ts'
import { FakeSet, NftError } from './fake-set.ts'
import type { Chain, Element, Flowtable, Operation, Rule, SetDeclaration, TableFamily } from './language.ts'
import { parseVerdict } from './render-words.ts'
import { referencedChains, referencedSets } from './state.ts'

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
  readonly flowtables: Map<string, Flowtable>
  readonly chains: Map<string, FakeChain>
}

/** What undoes one step. */
export type Undo = () => void

type InTable = Exclude<Operation, { kind: 'add-table' | 'delete-table' | 'destroy-table' }>

/** Does one operation inside a table; throws an `NftError` and may leave steps to undo. */
export function stepInTable(table: FakeTable, operation: InTable, undo: Undo[]): void {
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
    case 'add-flowtable':
      addFlowtable(table, operation.flowtable, undo)
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

/** One that is there gets the devices that it has not. */
function addFlowtable(table: FakeTable, flowtable: Flowtable, undo: Undo[]): void {
  const { name, priority, devices } = flowtable
  const known = table.flowtables.get(name)
  if (known !== undefined && known.priority !== priority)
    throw new NftError('EOPNOTSUPP', '', 'the flowtable has another priority')
  const all = new Set([...(known?.devices ?? []), ...devices])
  table.flowtables.set(name, { ...(known ?? flowtable), devices: [...all] })
  undo.push(() => (known === undefined ? table.flowtables.delete(name) : table.flowtables.set(name, known)))
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
    if (statement.kind === 'flow-add') getEntry(table.flowtables, statement.flowtable, 'flowtable')
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

/** The entry of this name; `ENOENT` when there is none. */
export function getEntry<V>(map: ReadonlyMap<string, V>, name: string, what: string): V {
  const entry = map.get(name)
  if (entry === undefined) throw new NftError('ENOENT', '', `there is no ${what} ${name}`)
  return entry
}

/** Adds an entry. */
export function put<V>(map: Map<string, V>, name: string, value: V, undo: Undo[]): void {
  map.set(name, value)
  undo.push(() => map.delete(name))
}

/** Undoing keeps the order, because chains of equal priority run in it. */
export function remove<V>(map: Map<string, V>, name: string, undo: Undo[]): void {
  const entries = [...map]
  map.delete(name)
  undo.push(() => {
    map.clear()
    for (const [key, value] of entries) map.set(key, value)
  })
}
