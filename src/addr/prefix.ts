import { type Address, addressAt, type Family, familyOf, findAddress, offsetOf } from './address.ts'

declare const brand: unique symbol

/** An IP prefix in canonical text, host bits zero: `10.0.0.0/8`, `fd00::/64`. Equal prefixes are equal strings. */
export type Prefix = string & { readonly [brand]: 'Prefix' }

/** The prefix that `text` spells, or undefined. Host bits must be zero unless `masking` is given, which clears them. */
export function findPrefix(text: string, masking = false): Prefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = findAddress(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined
  const length = Number(digits)
  const bits = familyOf(address) === 4 ? 32 : 128
  if (length > bits) return undefined
  const shift = BigInt(bits - length)
  const value = offsetOf(address)
  const base = (value >> shift) << shift
  if (base !== value && !masking) return undefined
  return `${addressAt(familyOf(address), base)}/${length}` as Prefix
}

/** The prefix that `text` spells; throws on anything that `findPrefix` refuses. */
export function parsePrefix(text: string): Prefix {
  const prefix = findPrefix(text)
  if (prefix === undefined) throw new TypeError(`"${text}" is not an IP prefix`)
  return prefix
}

/** The prefix that holds one address alone (/32 or /128). */
export function hostPrefix(address: Address): Prefix {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}` as Prefix
}

/** The first address of a prefix. */
export function prefixAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address
}

/** The length of a prefix in bits. */
export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1))
}

/** The family of a prefix. */
export function prefixFamily(prefix: Prefix): Family {
  return prefix.includes(':') ? 6 : 4
}

/** How many addresses a prefix holds. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << BigInt((prefixFamily(prefix) === 4 ? 32 : 128) - prefixLength(prefix))
}

/** Whether the address lies in the prefix; never across families. */
export function contains(prefix: Prefix, address: Address): boolean {
  if (prefixFamily(prefix) !== familyOf(address)) return false
  const base = offsetOf(prefixAddress(prefix))
  const value = offsetOf(address)
  return value >= base && value < base + prefixSize(prefix)
}

/** Whether two prefixes share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, prefixAddress(b)) || contains(b, prefixAddress(a))
}

/** Without doubles and without prefixes that another one contains: an interval set refuses overlaps (EEXIST). In order of addresses. */
export function disjoint(prefixes: readonly Prefix[]): readonly Prefix[] {
  const sorted = [...new Set(prefixes)]
    .map((prefix) => ({ prefix, family: prefixFamily(prefix), base: offsetOf(prefixAddress(prefix)) }))
    .sort((a, b) => a.family - b.family || compare(a.base, b.base) || prefixLength(a.prefix) - prefixLength(b.prefix))
  const kept: Prefix[] = []
  // Prefixes nest or are apart, so only the last kept one can contain the next.
  for (const { prefix } of sorted) {
    const last = kept.at(-1)
    if (last === undefined || !contains(last, prefixAddress(prefix))) kept.push(prefix)
  }
  return kept
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A prefix as nft prints it: a host prefix is the bare address. */
export function renderPrefix(prefix: Prefix): string {
  return prefixLength(prefix) === (prefixFamily(prefix) === 4 ? 32 : 128) ? prefixAddress(prefix) : prefix
}
