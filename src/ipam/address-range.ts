import {
  type Address,
  addressAt,
  type Family,
  familyOf,
  findAddress,
  findPrefix,
  offsetOf,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixSize,
} from '../addr/index.ts'

/** Addresses `first` to `last` of one family, both included, as offsets. */
export interface AddressRange {
  readonly family: Family
  readonly first: bigint
  readonly last: bigint
}

/** The range that `text` spells: a prefix (all of its addresses, as MetalLB's pools have it) or `a-b`. Undefined otherwise. */
export function findAddressRange(text: string): AddressRange | undefined {
  const dash = text.indexOf('-')
  if (dash < 0) {
    const prefix = findPrefix(text.trim(), true)
    return prefix && rangeOf(prefix)
  }
  const first = findAddress(text.slice(0, dash).trim())
  const last = findAddress(text.slice(dash + 1).trim())
  if (first === undefined || last === undefined || familyOf(first) !== familyOf(last)) return undefined
  const range = { family: familyOf(first), first: offsetOf(first), last: offsetOf(last) }
  return range.first <= range.last ? range : undefined
}

/** The addresses of a prefix. */
export function rangeOf(prefix: Prefix): AddressRange {
  const first = offsetOf(prefixAddress(prefix))
  return { family: prefixFamily(prefix), first, last: first + prefixSize(prefix) - 1n }
}

/** Whether two ranges share an address. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

/** Whether the address lies in the range. */
export function rangeHas(range: AddressRange, address: Address): boolean {
  if (range.family !== familyOf(address)) return false
  const offset = offsetOf(address)
  return offset >= range.first && offset <= range.last
}

/** `192.0.2.10-192.0.2.20` */
export function renderRange({ family, first, last }: AddressRange): string {
  return `${addressAt(family, first)}-${addressAt(family, last)}`
}

/** How many addresses the range has, without those that end in .0 and .255 when `avoidBuggy` is given. */
export function rangeSize(range: AddressRange, avoidBuggy: boolean): bigint {
  const all = range.last - range.first + 1n
  return avoidBuggy && range.family === 4 ? all - buggyUpTo(range.last + 1n) + buggyUpTo(range.first) : all
}

/** Whether the IPv4 address ends in .0 or .255. */
export function isBuggy(family: Family, offset: bigint): boolean {
  const last = offset & 0xffn
  return family === 4 && (last === 0n || last === 0xffn)
}

/** How many offsets below `end` end in 0 or 255. */
function buggyUpTo(end: bigint): bigint {
  const rest = end & 0xffn
  return (end >> 8n) * 2n + (rest > 0n ? 1n : 0n)
}
