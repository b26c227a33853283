import type { Element, Operation, SetDeclaration, TableFamily } from './language.ts'

/** How one element changes: `before` is what the kernel is believed to hold, `after` what it shall hold. */
export interface ElementChange {
  readonly key: string
  readonly before?: Element
  readonly after?: Element
}

/**
 * The operations for elements that the caller knows to have changed; a changed value is a deletion and an addition, because the
 * kernel refuses a second value for a key. Deletions come first, also because ranges may not overlap.
 */
export function planElements(
  family: TableFamily,
  table: string,
  set: SetDeclaration,
  changes: Iterable<ElementChange>,
): Operation[] {
  const deleted: Element[] = []
  const added: Element[] = []
  for (const { before, after } of changes) {
    if (before !== undefined && after !== undefined && sameElement(before, after)) continue
    if (before !== undefined) deleted.push(before)
    if (after !== undefined) added.push(after)
  }
  return [...elementsOperation('delete-elements', deleted), ...elementsOperation('add-elements', added)]

  function elementsOperation(kind: 'add-elements' | 'delete-elements', elements: readonly Element[]): Operation[] {
    return elements.length === 0 ? [] : [{ kind, family, table, set, elements }]
  }
}

/** The operations that turn what a set holds into what it shall hold, deletions apart from additions. */
export function planSetElements(
  family: TableFamily,
  table: string,
  set: SetDeclaration,
  have: ReadonlyMap<string, Element> = new Map(),
  want: ReadonlyMap<string, Element> = new Map(),
): { deletions: Operation[]; additions: Operation[] } {
  if (have === want) return { deletions: [], additions: [] }
  const operations = planElements(family, table, set, elementChanges(have, want))
  return {
    deletions: operations.filter(({ kind }) => kind === 'delete-elements'),
    additions: operations.filter(({ kind }) => kind === 'add-elements'),
  }
}

function* elementChanges(
  have: ReadonlyMap<string, Element>,
  want: ReadonlyMap<string, Element>,
): Generator<ElementChange> {
  for (const [key, after] of want) {
    const before = have.get(key)
    if (before === undefined) yield { key, after }
    else if (before !== after && !sameElement(before, after)) yield { key, before, after }
  }
  for (const [key, before] of have) if (!want.has(key)) yield { key, before }
}

/** Whether two elements of one key are the same to the kernel. */
export function sameElement(a: Element, b: Element): boolean {
  return a.key === b.key && a.value === b.value && a.comment === b.comment && a.timeoutSeconds === b.timeoutSeconds
}
