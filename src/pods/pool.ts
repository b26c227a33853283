import {
  type Address,
  addressAt,
  contains,
  offsetOf,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixSize,
} from '../addr/index.ts'

/**
 * The free addresses of one node prefix. Addresses are given out round robin, so that one is not given again right
 * after it was freed. The network address, the first host (reserved for a gateway) and the IPv4 broadcast are never given.
 */
export class AddressPool {
  readonly prefix: Prefix
  readonly #used = new Set<Address>()
  readonly #base: bigint
  readonly #size: bigint
  #next = 2n

  constructor(prefix: Prefix) {
    this.prefix = prefix
    this.#base = offsetOf(prefixAddress(prefix))
    const all = prefixSize(prefix)
    this.#size = prefixFamily(prefix) === 4 ? all - 1n : all
  }

  /** The next free address, or undefined when none is left. */
  take(): Address | undefined {
    const usable = this.#size - 2n
    if (BigInt(this.#used.size) >= usable) return undefined
    for (;;) {
      if (this.#next >= this.#size) this.#next = 2n
      const address = addressAt(prefixFamily(this.prefix), this.#base + this.#next)
      this.#next += 1n
      if (!this.#used.has(address)) {
        this.#used.add(address)
        return address
      }
    }
  }

  /** Marks an address of the prefix as used by someone. */
  reserve(address: Address): void {
    if (contains(this.prefix, address)) this.#used.add(address)
  }

  release(address: Address): void {
    this.#used.delete(address)
  }

  get used(): number {
    return this.#used.size
  }
}
