/** A small, fast, seeded generator (mulberry32, public domain): not for secrets. */
export class Random {
  #state: number

  constructor(seed: number = (Math.random() * 0x1_0000_0000) >>> 0) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** Uniform whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** A generator that will say what this one would, without moving it. */
  fork(): Random {
    return new Random(this.#state)
  }
}
