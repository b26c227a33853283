import { contains, offsetOf, type Prefix, prefixAddress, prefixFamily, prefixLength } from '../addr/index.ts'

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
