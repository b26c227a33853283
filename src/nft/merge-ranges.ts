import { parseKeyRange, renderKeyRange } from './element-key.ts'
import { makeShape, type SetShape } from './set-shape.ts'
import { compareValues, hasRanges, successor } from './value-text.ts'
import { networkOrdered, type ValueType } from './value-type.ts'

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

/**
 * The one value or range that constants of a single type come to, if they do: nft prints a set of one as the value itself once the
 * text is loaded again.
 */
export function findSoleRange(types: readonly ValueType[], keys: readonly string[]): string | undefined {
  const [type] = types
  if (types.length !== 1 || type === undefined) return undefined
  if (keys.length === 1) return keys[0]
  if (!hasRanges(types, keys)) return undefined
  const shape = makeShape('anonymous', [networkOrdered(type)], undefined, true)
  const merged = mergeRanges(
    shape,
    keys.map((key) => ({ key })),
  )
  return merged.length === 1 ? merged[0]?.key : undefined
}
