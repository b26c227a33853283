import { type Address, contains, type Prefix, prefixAddress, prefixFamily, prefixLength } from '../addr/index.ts'
import { AddressPool } from './address-pool.ts'
import type { AllocationFailure, Pick } from './pool.ts'

/** One prefix of ClusterIPs. One that is not open gives nothing out any more; what it gave is still remembered. */
export interface AddressRange {
  readonly prefix: Prefix
  readonly open: boolean
}

/** ClusterIPs of one family out of any number of prefixes (KEP-1880), which may lie in each other: an address is taken in all of them. */
export class AddressPools {
  readonly #pools: readonly { readonly pool: AddressPool; readonly open: boolean }[]

  /** The first of the prefixes is asked first. */
  constructor(ranges: readonly AddressRange[]) {
    this.#pools = ranges.map(({ prefix, open }) => ({ pool: new AddressPool(prefix), open }))
  }

  /** The prefixes that give addresses out. */
  get prefixes(): readonly Prefix[] {
    return this.#open.map(({ prefix }) => prefix)
  }

  /** Whether the address is within a prefix, open or not. */
  covers(address: Address): boolean {
    return this.#pools.some(({ pool }) => contains(pool.prefix, address))
  }

  has(address: Address): boolean {
    return this.#pools.some(({ pool }) => pool.has(address))
  }

  /** Remembers an address that somebody has, whichever prefix it is out of. */
  load(address: Address): void {
    for (const { pool } of this.#pools) pool.take(address)
  }

  /** Takes this very address out of an open prefix; says why not otherwise. */
  take(address: Address): AllocationFailure | undefined {
    if (this.has(address)) return 'allocated'
    // The network address of a prefix is an address like others where a wider one has it.
    const failures = this.#open.map((pool) => pool.take(address))
    if (!failures.includes(undefined)) return 'outside'
    this.load(address)
    return undefined
  }

  /** Takes a free address; a prefix within another open one is left for those who ask for its addresses. */
  takeNext(pick: Pick): Address | undefined {
    for (const pool of this.#open) {
      if (this.#open.some((other) => isWithin(pool.prefix, other.prefix))) continue
      const address = pool.takeNext(pick)
      if (address === undefined) continue
      this.load(address)
      return address
    }
    return undefined
  }

  release(address: Address): void {
    for (const { pool } of this.#pools) pool.release(address)
  }

  get #open(): readonly AddressPool[] {
    return this.#pools.flatMap(({ pool, open }) => (open ? [pool] : []))
  }
}

/** Whether the one prefix is a part of the other, and not all of it. */
function isWithin(inner: Prefix, outer: Prefix): boolean {
  if (prefixFamily(inner) !== prefixFamily(outer) || prefixLength(inner) <= prefixLength(outer)) return false
  return contains(outer, prefixAddress(inner))
}
