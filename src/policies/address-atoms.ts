import { type Address, type Family, familyOf, offsetOf } from '../addr/index.ts'
import type { AddressRange } from './model.ts'

/** Parts of the address space in which no range begins or ends: addresses of one part are alike to everybody who compares them with the ranges. */
export class AddressAtoms {
  readonly #starts: Record<Family, bigint[]> = { 4: [], 6: [] }
  #sorted = false

  add(family: Family, ranges: readonly AddressRange[]): void {
    for (const { low, high } of ranges) this.#starts[family].push(low, high + 1n)
    this.#sorted = false
  }

  /** Equal for addresses of one part. */
  idOf(address: Address): string {
    if (!this.#sorted) this.#sort()
    const family = familyOf(address)
    const starts = this.#starts[family]
    const value = offsetOf(address)
    let [from, to] = [0, starts.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (starts[middle]! <= value) from = middle + 1
      else to = middle
    }
    return `${family}.${from}`
  }

  #sort(): void {
    for (const family of [4, 6] as const)
      this.#starts[family] = [...new Set(this.#starts[family])].sort((a, b) => (a < b ? -1 : 1))
    this.#sorted = true
  }
}
