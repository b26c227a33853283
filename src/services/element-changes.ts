import assert from 'node:assert/strict'
import type { Family } from '../addr/index.ts'
import type { Element, Operation, SetDeclaration } from './lower.ts'
import { tableOf } from './sets.ts'

interface Change {
  removed?: Element
  added?: Element
}

/** Where changes of elements are told. */
export type ElementSink = Pick<ElementChanges, 'add' | 'remove'>

/** Collects the contents of sets that are empty and told once, as a whole table's are: nothing can cancel. */
export class ElementContents implements ElementSink {
  readonly #bySet = new Map<SetDeclaration, { readonly family: Family; readonly elements: Element[] }>()

  add(family: Family, set: SetDeclaration, element: Element): void {
    const contents = this.#bySet.get(set)
    if (contents === undefined) this.#bySet.set(set, { family, elements: [element] })
    else contents.elements.push(element)
  }

  remove(): void {
    assert.fail('nothing is taken out of a table that is made')
  }

  operations(): Operation[] {
    return [...this.#bySet].map(([set, { family, elements }]) => ({
      kind: 'add-elements',
      ...tableOf(family),
      set,
      elements,
    }))
  }
}

/** Tells nobody. */
export const unheard: ElementSink = { add() {}, remove() {} }

/**
 * Collects what a round does to sets and maps. Taking out and putting back cancel, so the order in which Services are
 * looked at does not show; one operation per set and direction remains, removals first.
 */
export class ElementChanges {
  readonly #bySet = new Map<SetDeclaration, { readonly family: Family; readonly byKey: Map<string, Change> }>()

  add(family: Family, set: SetDeclaration, element: Element): void {
    const byKey = this.#of(family, set)
    const change = byKey.get(element.key)
    if (change === undefined) byKey.set(element.key, { added: element })
    else if (change.removed?.value === element.value && change.removed?.comment === element.comment) {
      byKey.delete(element.key)
    } else change.added = element
  }

  remove(family: Family, set: SetDeclaration, element: Element): void {
    const byKey = this.#of(family, set)
    const change = byKey.get(element.key)
    if (change === undefined) byKey.set(element.key, { removed: element })
    else if (change.removed === undefined) byKey.delete(element.key)
    else delete change.added
  }

  operations(): Operation[] {
    const operations: Operation[] = []
    for (const [set, { family, byKey }] of this.#bySet) {
      const removed: Element[] = []
      const added: Element[] = []
      for (const change of byKey.values()) {
        if (change.removed !== undefined) removed.push({ key: change.removed.key })
        if (change.added !== undefined) added.push(change.added)
      }
      const at = tableOf(family)
      if (removed.length > 0) operations.push({ kind: 'delete-elements', ...at, set, elements: removed })
      if (added.length > 0) operations.push({ kind: 'add-elements', ...at, set, elements: added })
    }
    return operations
  }

  #of(family: Family, set: SetDeclaration): Map<string, Change> {
    let changes = this.#bySet.get(set)
    if (changes === undefined) {
      changes = { family, byKey: new Map() }
      this.#bySet.set(set, changes)
    }
    return changes.byKey
  }
}
