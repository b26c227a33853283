/** Why an allocation failed: every offset is in use, this one is, or it lies outside of the range. */
export type AllocationFailure = 'full' | 'allocated' | 'outside'

/** A whole number in [0, below), from any source of randomness. */
export type Pick = (below: number) => number

/**
 * Offsets 0…size−1, each free or taken. The first `staticSize` of them are the lower band: dynamic picks take the upper
 * band first and the lower one only when the upper is full (KEP-3070, KEP-3668); explicit requests may take any.
 */
export class Pool {
  readonly size: number
  readonly staticSize: number
  readonly #taken = new Set<number>()

  constructor(size: number, staticSize: number) {
    this.size = size
    this.staticSize = staticSize
  }

  get free(): number {
    return this.size - this.#taken.size
  }

  has(offset: number): boolean {
    return this.#taken.has(offset)
  }

  /** Takes this very offset; says why not otherwise. */
  take(offset: number): AllocationFailure | undefined {
    if (!(offset >= 0 && offset < this.size)) return 'outside'
    if (this.#taken.has(offset)) return 'allocated'
    this.#taken.add(offset)
    return undefined
  }

  /** Takes a free offset: a random start in the upper band, then upwards with wrap-around; then the same in the lower band. */
  takeNext(pick: Pick): number | undefined {
    if (this.free === 0) return undefined
    const offset = this.#scan(this.staticSize, this.size, pick) ?? this.#scan(0, this.staticSize, pick)
    if (offset !== undefined) this.#taken.add(offset)
    return offset
  }

  release(offset: number): void {
    this.#taken.delete(offset)
  }

  #scan(from: number, to: number, pick: Pick): number | undefined {
    const span = to - from
    if (span <= 0) return undefined
    const start = pick(span)
    for (let i = 0; i < span; i++) {
      const offset = from + ((start + i) % span)
      if (!this.#taken.has(offset)) return offset
    }
    return undefined
  }
}
