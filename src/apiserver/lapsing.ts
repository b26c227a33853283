/** How long something that can be made again is kept after its last use. */
const idleMs = 60_000

/** A value that is made at first use and let go of when nobody has used it for a minute; the next use makes it anew. */
export class Lapsing<T> {
  readonly #make: () => T
  #kept: { readonly value: T } | undefined
  #used = false

  constructor(make: () => T) {
    this.#make = make
  }

  get(): T {
    this.#used = true
    if (this.#kept === undefined) {
      this.#kept = { value: this.#make() }
      this.#await()
    }
    return this.#kept.value
  }

  #await(): void {
    setTimeout(() => {
      if (this.#used) {
        this.#used = false
        this.#await()
      } else this.#kept = undefined
    }, idleMs).unref()
  }
}
