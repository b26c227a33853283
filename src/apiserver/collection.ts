import type { Entry } from './entry.ts'

/** The entries of one resource, by key and in the order of keys. */
export class Collection {
  readonly #entries = new Map<string, Entry>()
  #keys: string[] = []
  #sorted = true

  get size(): number {
    return this.#entries.size
  }

  find(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  set(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#insert(entry.key)
    this.#entries.set(entry.key, entry)
  }

  remove(key: string): void {
    if (!this.#entries.delete(key)) return
    const at = this.lowerBound(key)
    this.#keys.splice(at, 1)
  }

  /** The entries whose keys start with `prefix` and are not below `from`, in order. */
  *range(prefix: string, from = prefix): IterableIterator<Entry> {
    const start = this.lowerBound(from > prefix ? from : prefix)
    for (let i = start; i < this.#keys.length; i++) {
      const key = this.#keys[i]!
      if (!key.startsWith(prefix)) return
      yield this.#entries.get(key)!
    }
  }

  /** The index of the first key that is not below `key`. */
  lowerBound(key: string): number {
    if (!this.#sorted) {
      this.#keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      this.#sorted = true
    }
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }

  // Loading and bursts append in any order; the first ordered question sorts once.
  #insert(key: string): void {
    if (this.#sorted && this.#keys.length > 0 && key < this.#keys[this.#keys.length - 1]!) this.#sorted = false
    this.#keys.push(key)
  }
}
