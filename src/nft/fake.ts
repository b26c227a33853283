import { describeOperation } from './describe.ts'
import { checkDepth } from './fake-depth.ts'
import { NftError } from './fake-set.ts'
import { type FakeTable, getEntry, put, remove, stepInTable, type Undo } from './fake-step.ts'
import type { Element, Operation, Table, TableFamily, Transaction } from './language.ts'
import { type State, tableKey } from './state.ts'

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

function makeTable({ family, table, comment }: Extract<Operation, { kind: 'add-table' }>): FakeTable {
  const inside = { sets: new Map(), chains: new Map(), flowtables: new Map() }
  return { family, name: table, ...(comment === undefined ? {} : { comment }), ...inside }
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
      ...(table.flowtables.size === 0 ? {} : { flowtables: [...table.flowtables.values()] }),
    },
    elements: new Map([...table.sets].map(([set, { elements }]) => [set, new Map(elements)])),
  }
}
