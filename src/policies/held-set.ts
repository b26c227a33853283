import type { Family } from '../addr/index.ts'
import type { Element, Operation, SetDeclaration } from './language.ts'
import { tableOf } from './layout.ts'
import type { SetNeed } from './lower.ts'
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

  /** For a set of names: the address counts until then, in milliseconds since 1970; tells whether that is longer than before. */
  learn(address: string, untilMs: number): boolean {
    const known = this.#elements.get(address)
    // An answer from a cache says the same moment as before, to the second.
    if (typeof known === 'number' && untilMs < known + 1000) return false
    this.set(address, undefined)
    this.set(address, untilMs)
    if (this.size > maximumLearnt) this.set(this.#elements.keys().next().value!, undefined)
    return true
  }

  /** What the round does to the elements, removals first; tells whether any was removed or added. A new set has neither. */
  take(): { readonly operations: readonly Operation[]; readonly lost: boolean; readonly gained: boolean } {
    if (this.fresh) {
      this.fresh = false
      return { operations: this.all(), lost: false, gained: false }
    }
    if (this.need?.kind === 'names') return this.#takeNames()
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

  /** The kernel has this element until then. */
  restore(address: string, untilMs: number): void {
    this.#elements.set(address, untilMs)
  }

  /**
   * An element's time cannot be changed before Linux 6.12, and whether the kernel still has it depends on the time: it is put there,
   * taken out and put there anew. What names lead to is only ever accepted, and a name's end ends no connection: nothing is lost or gained.
   */
  #takeNames(): ReturnType<HeldSet['take']> {
    const at = { ...tableOf(this.family), set: this.declaration }
    const keys = [...this.#before.keys()]
    this.#before.clear()
    if (keys.length === 0) return { operations: [], lost: false, gained: false }
    const now = Date.now()
    const there = keys.map((key) => ({ key, timeoutSeconds: 60 }))
    const kept = keys.flatMap((key) => timedElement(key, this.#elements.get(key), now))
    const operations: Operation[] = [
      { kind: 'add-elements', ...at, elements: there },
      { kind: 'delete-elements', ...at, elements: keys.map((key) => ({ key })) },
    ]
    if (kept.length > 0) operations.push({ kind: 'add-elements', ...at, elements: kept })
    return { operations, lost: false, gained: false }
  }

  /** Everything, for a set that is empty. */
  all(): readonly Operation[] {
    const now = Date.now()
    const timed = this.need?.kind === 'names'
    const elements = [...this.#elements].flatMap(([key, value]) =>
      timed ? timedElement(key, value, now) : [elementOf(key, value)],
    )
    if (elements.length === 0) return []
    return [{ kind: 'add-elements', ...tableOf(this.family), set: this.declaration, elements }]
  }

  /** Forgets what was touched: the whole table is told anew. */
  settle(): void {
    this.fresh = false
    this.#before.clear()
  }
}

/** Addresses of one name that are remembered; beyond, the one that was told longest ago is forgotten. */
const maximumLearnt = 4096

function timedElement(key: string, untilMs: number | string | undefined, nowMs: number): Element[] {
  if (typeof untilMs !== 'number' || untilMs <= nowMs) return []
  return [{ key, timeoutSeconds: Math.ceil((untilMs - nowMs) / 1000) }]
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
