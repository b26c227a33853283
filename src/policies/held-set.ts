import type { Family } from '../addr/index.ts'
import { tableOf } from './layout.ts'
import type { Operation, SetDeclaration, SetNeed } from './lower.ts'
import type { PodView, Selection } from './profile.ts'

/** A set or map of one family as desired, and which of its elements this round has touched. */
export class HeldSet {
  readonly family: Family
  readonly declaration: SetDeclaration
  readonly need: SetNeed | undefined
  uses = 0
  /** The pods in it, for a set of pods. */
  selection: Selection | undefined
  /** Created in this round: its elements are told whole. */
  fresh = true
  /** How many pods put an element there, or the value of a map's element. */
  readonly #elements = new Map<string, number | string>()
  readonly #before = new Map<string, number | string | undefined>()

  constructor(family: Family, declaration: SetDeclaration, need?: SetNeed) {
    this.family = family
    this.declaration = declaration
    this.need = need
  }

  get size(): number {
    return this.#elements.size
  }

  keys(): readonly string[] {
    return [...this.#elements.keys()]
  }

  get(key: string): number | string | undefined {
    return this.#elements.get(key)
  }

  /** One more, or one less, of those who put an element into the set. */
  count(key: string, by: 1 | -1): void {
    const now = ((this.#elements.get(key) as number | undefined) ?? 0) + by
    this.set(key, now === 0 ? undefined : now)
  }

  set(key: string, value: number | string | undefined): void {
    if (!this.fresh && !this.#before.has(key)) this.#before.set(key, this.#elements.get(key))
    if (value === undefined) this.#elements.delete(key)
    else this.#elements.set(key, value)
  }

  /** What the round does to the elements, removals first; tells whether any was removed or added. A new set has neither. */
  take(): { readonly operations: readonly Operation[]; readonly lost: boolean; readonly gained: boolean } {
    if (this.fresh) {
      this.fresh = false
      return { operations: this.all(), lost: false, gained: false }
    }
    const removed: { key: string }[] = []
    const added: { key: string; value?: string }[] = []
    for (const [key, before] of this.#before) {
      const now = this.#elements.get(key)
      const isMap = typeof (now ?? before) === 'string'
      if (before !== undefined && (now === undefined || (isMap && now !== before))) removed.push({ key })
      if (now !== undefined && (before === undefined || (isMap && now !== before))) added.push(elementOf(key, now))
    }
    this.#before.clear()
    const at = tableOf(this.family)
    const operations: Operation[] = []
    if (removed.length > 0)
      operations.push({ kind: 'delete-elements', ...at, set: this.declaration, elements: removed })
    if (added.length > 0) operations.push({ kind: 'add-elements', ...at, set: this.declaration, elements: added })
    return { operations, lost: removed.length > 0, gained: added.length > 0 }
  }

  /** Everything, for a set that is empty. */
  all(): readonly Operation[] {
    if (this.#elements.size === 0) return []
    const elements = [...this.#elements].map(([key, value]) => elementOf(key, value))
    return [{ kind: 'add-elements', ...tableOf(this.family), set: this.declaration, elements }]
  }

  /** Forgets what was touched: the whole table is told anew. */
  settle(): void {
    this.fresh = false
    this.#before.clear()
  }
}

function elementOf(key: string, value: number | string): { key: string; value?: string } {
  return typeof value === 'string' ? { key, value } : { key }
}

/** The elements that a pod puts into a set of pods. */
export function elementsOf(need: SetNeed, family: Family, view: PodView): readonly string[] {
  const own = view.addresses.filter((address) => address.includes(':') === (family === 6))
  if (need.kind !== 'named') return own
  const { protocol, port: name } = need
  const ports = view.profile.ports.filter((one) => one.name === name && one.protocol === protocol)
  return own.flatMap((address) => ports.map(({ port }) => `${address} . ${protocol} . ${port}`))
}
