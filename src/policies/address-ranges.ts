import { type Address, addressAt, type Family, familyOf, offsetOf } from '../addr/index.ts'
import type { AddressRange } from './model.ts'

/** A range without its holes, as ranges in order that do not touch. */
export function subtractRanges(whole: AddressRange, holes: readonly AddressRange[]): readonly AddressRange[] {
  const kept: AddressRange[] = []
  let next = whole.low
  for (const { low, high } of mergeRanges(holes)) {
    if (high < next) continue
    if (low > whole.high) break
    if (low > next) kept.push({ low: next, high: low - 1n })
    next = high + 1n
  }
  if (next <= whole.high) kept.push({ low: next, high: whole.high })
  return kept
}

/** The same addresses as ranges in order that neither overlap nor touch: an interval set refuses overlaps. */
export function mergeRanges(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const sorted = [...ranges].sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0))
  const merged: { low: bigint; high: bigint }[] = []
  for (const { low, high } of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && low <= last.high + 1n) {
      if (high > last.high) last.high = high
    } else merged.push({ low, high })
  }
  return merged
}

/** Whether an address lies in one of the ranges of its family. */
export function inRanges(family: Family, ranges: readonly AddressRange[], address: Address): boolean {
  if (familyOf(address) !== family) return false
  const value = offsetOf(address)
  return ranges.some(({ low, high }) => value >= low && value <= high)
}

/** All addresses of a family. */
export function wholeOf(family: Family): AddressRange {
  return { low: 0n, high: (1n << (family === 4 ? 32n : 128n)) - 1n }
}

/** A range as nft and people write it: an address, a prefix where it is one, else `LOW-HIGH`. */
export function renderRange(family: Family, { low, high }: AddressRange): string {
  if (low === high) return addressAt(family, low)
  const size = high - low + 1n
  if ((size & (size - 1n)) === 0n && low % size === 0n) {
    const bits = family === 4 ? 32 : 128
    return `${addressAt(family, low)}/${bits - (size.toString(2).length - 1)}`
  }
  return `${addressAt(family, low)}-${addressAt(family, high)}`
}
