import type { EndpointSlice } from '../objects/index.ts'
import type { ReferenceGrant } from './gateway-api.ts'
import type { Referred } from './ingress-referred.ts'
import { fitted, keepList } from './keyed.ts'
import type { Lookup, Sources } from './sources.ts'

/** Looks something up, for an answer that then depends on it. */
export type Look = (kind: string, key: string) => unknown

interface Cell {
  value: unknown
  readonly readers: Set<Reader>
}

/** An answer as those know it who tell it that it is spoilt. */
interface Reader {
  readonly cells: Cell[]
  spoil(): void
}

/** What answers were looked up from. When that becomes something else, those and no others are to be made again. */
export class Ledger {
  readonly #lists = new Map<string, readonly unknown[]>()
  readonly #kinds = new Map<string, { lookup: Lookup<unknown>; readonly cells: Map<string, Cell> }>()

  /** From now on a kind is looked up here; answers that would find other objects are spoilt. */
  turn(kind: string, lookup: Lookup<unknown>): void {
    const known = this.#kinds.get(kind)
    if (known === undefined) {
      this.#kinds.set(kind, { lookup, cells: new Map() })
      return
    }
    known.lookup = lookup
    for (const [key, cell] of known.cells) {
      if (cell.readers.size === 0) {
        known.cells.delete(key)
        continue
      }
      const value = lookup.get(key)
      if (value === cell.value) continue
      cell.value = value
      for (const reader of [...cell.readers]) reader.spoil()
    }
  }

  /** The same for a list that is looked at whole, by the key ``. */
  turnList(kind: string, list: readonly unknown[]): void {
    const kept = keepList(this.#lists.get(kind), list)
    this.#lists.set(kind, kept)
    this.turn(kind, { get: () => kept })
  }

  /** A list as it was first given: the same as long as it says the same. */
  list(kind: string): readonly unknown[] {
    return this.#lists.get(kind) ?? []
  }

  /** The same for the parts of a list, by what `keyOf` says of each. */
  turnGroups<T>(kind: string, list: readonly T[], keyOf: (one: T) => string | undefined): void {
    const before = this.#lists.get(kind)
    const kept = keepList(before, list)
    if (kept === before) return
    this.#lists.set(kind, kept)
    const groups = new Map<string, readonly T[]>()
    const known = this.#kinds.get(kind)?.lookup as Lookup<readonly T[]> | undefined
    for (const [key, group] of Map.groupBy(list, keyOf))
      if (key !== undefined) groups.set(key, keepList(known?.get(key), group))
    this.turn(kind, groups)
  }

  /** Whether an answer depends on an object, be it that it is not there. */
  isRead(kind: string, key: string): boolean {
    return (this.#kinds.get(kind)?.cells.get(key)?.readers.size ?? 0) > 0
  }

  look(kind: string, key: string, reader: Reader): unknown {
    const { lookup, cells } = this.#kinds.get(kind)!
    const cell = cells.get(key) ?? { value: lookup.get(key), readers: new Set() }
    cells.set(key, cell)
    if (!cell.readers.has(reader)) reader.cells.push(cell)
    cell.readers.add(reader)
    return cell.value
  }
}

class Answer<Subject, Value> implements Reader {
  cells: Cell[] = []
  readonly #subject: Subject
  readonly #onSpoil: (subject: Subject) => void
  value!: Value

  constructor(subject: Subject, onSpoil: (subject: Subject) => void) {
    this.#subject = subject
    this.#onSpoil = onSpoil
  }

  spoil(): void {
    this.#onSpoil(this.#subject)
  }
}

/** The answers to subjects, each kept until it is forgotten or what it was looked up from changes. */
export class Answers<Subject extends object, Value> {
  readonly #ledger: Ledger
  readonly #make: (subject: Subject, look: Look) => Value
  readonly #kept = new Map<Subject, Answer<Subject, Value>>()
  #spoilt = new Set<Subject>()
  readonly #onSpoil = (subject: Subject): void => {
    this.#spoilt.add(subject)
    this.forget(subject)
  }

  constructor(ledger: Ledger, make: (subject: Subject, look: Look) => Value) {
    this.#ledger = ledger
    this.#make = make
  }

  of(subject: Subject): Value {
    const known = this.#kept.get(subject)
    if (known !== undefined) return known.value
    const answer = new Answer<Subject, Value>(subject, this.#onSpoil)
    answer.value = this.#make(subject, (kind, key) => this.#ledger.look(kind, key, answer))
    answer.cells = fitted(answer.cells)
    this.#kept.set(subject, answer)
    return answer.value
  }

  forget(subject: Subject): void {
    const answer = this.#kept.get(subject)
    if (answer === undefined) return
    for (const cell of answer.cells) cell.readers.delete(answer)
    this.#kept.delete(subject)
  }

  /** Those whose answers were spoilt since the last time. */
  takeSpoilt(): ReadonlySet<Subject> {
    const spoilt = this.#spoilt
    if (spoilt.size > 0) this.#spoilt = new Set()
    return spoilt
  }
}

/** The kinds of objects that are looked up by key. */
const kinds = ['secrets', 'configMaps', 'namespaces', 'services'] as const

/** Takes the objects as they are now. */
export function turnSources(ledger: Ledger, sources: Sources): void {
  for (const kind of kinds) ledger.turn(kind, sources[kind])
  // Where there are none the list is another one each time.
  ledger.turn('slices', { get: (key) => orNothing(sources.slicesOf(key)) })
  ledger.turnList('grants', sources.gatewayApi.grants)
}

function orNothing<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}

const noSlices: readonly EndpointSlice[] = []

/** The same sources for one answer: whatever it reads of them it depends on. */
export function watched(sources: Sources, look: Look): Sources {
  const lookup = <T>(kind: string): Lookup<T> => ({ get: (key) => look(kind, key) as T | undefined })
  return {
    ...sources,
    secrets: lookup('secrets'),
    configMaps: lookup('configMaps'),
    namespaces: lookup('namespaces'),
    services: lookup('services'),
    slicesOf: (service) => (look('slices', service) as readonly EndpointSlice[] | undefined) ?? noSlices,
    gatewayApi: {
      ...sources.gatewayApi,
      get grants() {
        return look('grants', '') as readonly ReferenceGrant[]
      },
    },
  }
}

/** What annotations may refer to, for one answer. */
export function referredIn({ secrets, configMaps, gatewayApi }: Sources): Referred {
  return {
    secrets,
    configMaps,
    get grants() {
      return gatewayApi.grants
    },
  }
}
