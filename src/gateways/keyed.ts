/** Values by key, and as a list in which each keeps its place: of two lists, one later than the other, most are alike place by place. */
export class Row<Value> {
  readonly #at = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #values: Value[] = []
  #list: readonly Value[] = []
  #changed = false

  get(key: string): Value | undefined {
    const at = this.#at.get(key)
    return at === undefined ? undefined : this.#values[at]
  }

  set(key: string, value: Value): void {
    const at = this.#at.get(key) ?? this.#keys.length
    if (this.#values[at] === value && this.#keys[at] === key) return
    this.#at.set(key, at)
    this.#keys[at] = key
    this.#values[at] = value
    this.#changed = true
  }

  /** The last one takes the place. */
  delete(key: string): void {
    const at = this.#at.get(key)
    if (at === undefined) return
    const lastKey = this.#keys.pop()!
    const last = this.#values.pop()!
    if (lastKey !== key) {
      this.#keys[at] = lastKey
      this.#values[at] = last
      this.#at.set(lastKey, at)
    }
    this.#at.delete(key)
    this.#changed = true
  }

  /** The same list until something is another. */
  list(): readonly Value[] {
    if (this.#changed) this.#list = this.#values.slice()
    this.#changed = false
    return this.#list
  }
}

/** What several give by one name: of them the first in an order counts. */
export class Shared<Value> {
  readonly #compare: (a: Value, b: Value) => number
  /** How often each is given. */
  readonly #given = new Map<string, Map<Value, number>>()
  readonly #row = new Row<Value>()
  readonly #touched = new Set<string>()

  constructor(compare: (a: Value, b: Value) => number) {
    this.#compare = compare
  }

  add(name: string, value: Value): void {
    this.#count(name, value, 1)
  }

  remove(name: string, value: Value): void {
    this.#count(name, value, -1)
  }

  list(): readonly Value[] {
    for (const name of this.#touched) {
      let first: Value | undefined
      for (const one of this.#given.get(name)?.keys() ?? [])
        if (first === undefined || this.#compare(one, first) < 0) first = one
      if (first === undefined) this.#row.delete(name)
      else this.#row.set(name, first)
    }
    this.#touched.clear()
    return this.#row.list()
  }

  #count(name: string, value: Value, by: 1 | -1): void {
    const given = this.#given.get(name) ?? new Map<Value, number>()
    const count = (given.get(value) ?? 0) + by
    if (count > 0) given.set(value, count)
    else given.delete(value)
    if (given.size > 0) this.#given.set(name, given)
    else this.#given.delete(name)
    this.#touched.add(name)
  }
}

/** What is made of each of a list; place by place that of before, where the same is there. */
export function eachOf<T, Made>(
  all: readonly T[],
  make: (one: T) => Made,
  before: readonly unknown[] = [],
  made: readonly Made[] = [],
): readonly Made[] {
  return all.map((one, at) => (before[at] === one ? made[at]! : make(one)))
}

/** What is no longer in a list, and what is new in it; where they begin and end alike that costs next to nothing. */
export function difference<T>(
  before: readonly T[],
  now: readonly T[],
): { readonly gone: Iterable<T>; readonly come: T[] } {
  let from = 0
  const shorter = Math.min(before.length, now.length)
  while (from < shorter && before[from] === now[from]) from++
  let tail = 0
  while (tail < shorter - from && before[before.length - 1 - tail] === now[now.length - 1 - tail]) tail++
  const gone = new Set(before.slice(from, before.length - tail))
  const come = now.slice(from, now.length - tail).filter((one) => !gone.delete(one))
  return { gone, come }
}

/** The same list for keeping: one that was filled bit by bit has room for many more. */
export function fitted<T>(list: readonly T[]): T[] {
  return list.slice()
}

/** The list of before as long as it says the same. */
export function keepList<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  return before !== undefined && isSameList(before, now) ? before : now
}

/** Whether two lists have the same objects in the same order. */
export function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a === b || (a.length === b.length && a.every((one, at) => one === b[at]))
}
