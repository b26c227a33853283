import { parseKeyRange, renderKeyRange } from './element-key.ts'
import type { SetShape } from './set-shape.ts'
import { compareValues, successor } from './value-text.ts'

/** The ranges of an anonymous set in order, overlapping and adjacent ones made one: the kernel refuses overlaps, and nft merges both. */
export function mergeRanges(
  shape: SetShape,
  elements: readonly { readonly key: string }[],
): { readonly key: string }[] {
  const [type] = shape.key
  if (type === undefined) return []
  const ranges = elements.map(({ key }) => parseKeyRange(shape, key))
  ranges.sort((a, b) => compareValues(type, a.low, b.low) || compareValues(type, a.high, b.high))
  const merged: typeof ranges = []
  for (const range of ranges) {
    const last = merged.at(-1)
    const next = last === undefined ? undefined : successor(last.high)
    if (last === undefined || (next !== undefined && compareValues(type, range.low, next) > 0)) merged.push(range)
    else if (compareValues(type, range.high, last.high) > 0) last.high = range.high
  }
  return merged.map(({ low, high }) => ({ key: renderKeyRange(shape, low, high) }))
}
