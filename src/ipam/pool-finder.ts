import type { Address } from '../addr/index.ts'
import type { Labels } from '../cluster/index.ts'
import type { IPAddressPool } from '../objects/index.ts'
import { findAddressRange, rangeHas } from './address-range.ts'

/** Which pool an address comes out of: the first by the order of the objects, whether or not it gives out more. */
export function poolFinder(
  pools: Iterable<IPAddressPool>,
): (address: Address) => { readonly name: string; readonly labels: Labels } | undefined {
  const known = [...pools].map(({ metadata, spec }) => ({
    name: metadata.name,
    labels: metadata.labels ?? {},
    ranges: (spec.addresses ?? []).flatMap((text) => findAddressRange(text) ?? []),
  }))
  return (address) => known.find(({ ranges }) => ranges.some((range) => rangeHas(range, address)))
}
