import type { Address } from '../addr/index.ts'
import type { Element, Operation, SetDeclaration } from '../nft/index.ts'
import { lowerPodNetwork, type PodNetwork, type PodTable } from '../pods/index.ts'

/** The tables of pod networking as desired, diffed by element against what the last plan said. */
export class PodTables {
  #tables: readonly PodTable[] = []

  /** `ip plumb-pods` and the like. */
  get names(): readonly string[] {
    return this.#tables.map(({ table }) => `${table.family} ${table.name}`)
  }

  /** `guests`: addresses of no pod, under which pods leave. */
  update(network: PodNetwork, guests: readonly Address[]): readonly Operation[] {
    const before = this.#tables
    this.#tables = lowerPodNetwork(network, guests)
    const gone = before.filter((old) => !this.#tables.some((now) => sameTable(old, now)))
    return [
      ...gone.map(deleteTable),
      ...this.#tables.flatMap((now) => {
        const old = before.find((one) => sameTable(one, now))
        if (old === undefined) return createTable(now)
        // With the first tunnel, or the last, the table is made anew in the same transaction.
        if (JSON.stringify(old.table) !== JSON.stringify(now.table)) return [deleteTable(old), ...createTable(now)]
        return now.table.sets.flatMap((set) =>
          diffSet(now, set, old.elements.get(set.name), now.elements.get(set.name)),
        )
      }),
    ]
  }

  /** Everything, for tables that are not there. */
  full(): readonly Operation[] {
    return this.#tables.flatMap(createTable)
  }
}

function sameTable(a: PodTable, b: PodTable): boolean {
  return a.table.family === b.table.family && a.table.name === b.table.name
}

function deleteTable({ table }: PodTable): Operation {
  return { kind: 'delete-table', family: table.family, table: table.name }
}

function createTable({ table, elements }: PodTable): readonly Operation[] {
  const at = { family: table.family, table: table.name }
  return [
    { kind: 'add-table', ...at, ...(table.comment === undefined ? {} : { comment: table.comment }) },
    ...table.sets.map((set): Operation => ({ kind: 'add-set', ...at, set })),
    ...table.chains.map(({ rules: _, ...chain }): Operation => ({ kind: 'add-chain', ...at, chain })),
    ...table.chains.flatMap(({ name, rules }) =>
      rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
    ),
    ...table.sets.flatMap((set): Operation[] => {
      const content = elements.get(set.name) ?? []
      return content.length === 0 ? [] : [{ kind: 'add-elements', ...at, set, elements: content }]
    }),
  ]
}

function diffSet(
  { table }: PodTable,
  set: SetDeclaration,
  before: readonly Element[] = [],
  after: readonly Element[] = [],
): Operation[] {
  const at = { family: table.family, table: table.name }
  const old = new Map(before.map((element) => [element.key, element.value]))
  const now = new Map(after.map((element) => [element.key, element.value]))
  const removed = before.filter(({ key, value }) => !now.has(key) || now.get(key) !== value)
  const added = after.filter(({ key, value }) => !old.has(key) || old.get(key) !== value)
  const operations: Operation[] = []
  if (removed.length > 0) operations.push({ kind: 'delete-elements', ...at, set, elements: removed })
  if (added.length > 0) operations.push({ kind: 'add-elements', ...at, set, elements: added })
  return operations
}
