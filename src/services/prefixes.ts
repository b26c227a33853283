import { contains, type Prefix, prefixAddress, prefixFamily, prefixLength } from '../addr/index.ts'

/** Without doubles and without prefixes that another one contains: an interval set refuses overlaps (EEXIST). Sorted. */
export function disjoint(prefixes: readonly Prefix[]): readonly Prefix[] {
  const unique = [...new Set(prefixes)]
  const wider = (one: Prefix, other: Prefix): boolean =>
    prefixLength(one) < prefixLength(other) && contains(one, prefixAddress(other))
  return unique.filter((prefix) => !unique.some((other) => wider(other, prefix))).sort()
}

/** A prefix as nft prints it: a host prefix is the bare address. */
export function renderPrefix(prefix: Prefix): string {
  return prefixLength(prefix) === (prefixFamily(prefix) === 4 ? 32 : 128) ? prefixAddress(prefix) : prefix
}
