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
import { type AllocationFailure, type Pick, Pool } from './pool.ts'

/** Addresses beyond this many in a prefix are never handed out; upstream's bound for IPv6 ranges as well. */
const maximumSize = 1n << 32n

/** The size of the band kept for explicit requests: min(max(16, size/16), 256), none when the prefix has 16 addresses or fewer (KEP-3070). */
export function addressBand(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256)
}

/** ClusterIPs of one service prefix. The network address is never used, nor is IPv4's broadcast address. */
export class AddressPool {
  readonly prefix: Prefix
  readonly #first: bigint
  readonly #pool: Pool

  constructor(prefix: Prefix) {
    this.prefix = prefix
    const size = prefixSize(prefix) > maximumSize ? maximumSize : prefixSize(prefix)
    const usable = Number(size) - (prefixFamily(prefix) === 4 ? 2 : 1)
    this.#first = offsetOf(prefixAddress(prefix)) + 1n
    this.#pool = new Pool(Math.max(0, usable), Math.min(addressBand(Number(size)), Math.max(0, usable)))
  }

  get free(): number {
    return this.#pool.free
  }

  has(address: Address): boolean {
    return contains(this.prefix, address) && this.#pool.has(this.#offset(address))
  }

  take(address: Address): AllocationFailure | undefined {
    return contains(this.prefix, address) ? this.#pool.take(this.#offset(address)) : 'outside'
  }

  takeNext(pick: Pick): Address | undefined {
    const offset = this.#pool.takeNext(pick)
    return offset === undefined ? undefined : addressAt(prefixFamily(this.prefix), this.#first + BigInt(offset))
  }

  release(address: Address): void {
    if (contains(this.prefix, address)) this.#pool.release(this.#offset(address))
  }

  #offset(address: Address): number {
    return Number(offsetOf(address) - this.#first)
  }
}

/** The first usable address of a service prefix: the ClusterIP of `kubernetes.default`. */
export function firstAddress(prefix: Prefix): Address {
  return addressAt(prefixFamily(prefix), offsetOf(prefixAddress(prefix)) + 1n)
}
