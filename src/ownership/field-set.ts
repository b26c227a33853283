import type { Element } from './element.ts'

/**
 * A set of paths as a tree: whether the path to this node is in the set, and the longer paths below it. Never changed; a node
 * that holds nothing is not kept, save the empty set itself. Operations give back the same tree when they change nothing.
 */
export interface FieldSet {
  readonly owned: boolean
  readonly fields: ReadonlyMap<Element, FieldSet>
}

const none: ReadonlyMap<Element, FieldSet> = new Map()

/** No path at all. */
export const emptySet: FieldSet = { owned: false, fields: none }
/** The path to here and nothing below. */
export const leafSet: FieldSet = { owned: true, fields: none }

/** A node over these children; the shared constants where they fit. */
export function setOf(owned: boolean, fields: ReadonlyMap<Element, FieldSet>): FieldSet {
  if (fields.size === 0) return owned ? leafSet : emptySet
  return { owned, fields }
}

/** The set of these paths. */
export function setOfPaths(...paths: readonly (readonly Element[])[]): FieldSet {
  return paths.reduce<FieldSet>((set, path) => union(set, pathSet(path)), emptySet)
}

function pathSet(path: readonly Element[]): FieldSet {
  return path.reduceRight<FieldSet>(
    (child, element) => ({ owned: false, fields: new Map([[element, child]]) }),
    leafSet,
  )
}

/** Whether the set holds no path. */
export function isEmpty(set: FieldSet): boolean {
  return !set.owned && set.fields.size === 0
}

/** Whether exactly this path is in the set. */
export function has(set: FieldSet, path: readonly Element[]): boolean {
  let node: FieldSet | undefined = set
  for (const element of path) node = node?.fields.get(element)
  return node?.owned ?? false
}

/** Whether both hold the same paths. */
export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true
  if (a.owned !== b.owned || a.fields.size !== b.fields.size) return false
  for (const [element, child] of a.fields) {
    const other = b.fields.get(element)
    if (other === undefined || !equalSets(child, other)) return false
  }
  return true
}

/** The paths of either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a
  if (isEmpty(a)) return b
  let fields: Map<Element, FieldSet> | undefined
  for (const [element, child] of b.fields) {
    const mine = a.fields.get(element)
    const merged = mine === undefined ? child : union(mine, child)
    if (merged === mine) continue
    fields ??= new Map(a.fields)
    fields.set(element, merged)
  }
  const owned = a.owned || b.owned
  return fields === undefined && owned === a.owned ? a : { owned, fields: fields ?? a.fields }
}

/** The paths of both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a
  const fields = new Map<Element, FieldSet>()
  for (const [element, child] of a.fields) {
    const other = b.fields.get(element)
    if (other === undefined) continue
    const common = intersection(child, other)
    if (!isEmpty(common)) fields.set(element, common)
  }
  return setOf(a.owned && b.owned, fields)
}

/** The paths of `a` that are not in `b`; with `below`, also without what lies below a path of `b`. */
export function difference(a: FieldSet, b: FieldSet, below = false): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a
  let fields: Map<Element, FieldSet> | undefined
  for (const [element, other] of b.fields) {
    const mine = a.fields.get(element)
    if (mine === undefined) continue
    const rest = below && other.owned ? emptySet : difference(mine, other, below)
    if (rest === mine) continue
    fields ??= new Map(a.fields)
    if (isEmpty(rest)) fields.delete(element)
    else fields.set(element, rest)
  }
  const owned = a.owned && !b.owned
  return fields === undefined && owned === a.owned ? a : setOf(owned, fields ?? a.fields)
}

/** The paths of the set that no other path of it goes through. */
export function leaves(set: FieldSet): FieldSet {
  const fields = new Map([...set.fields].map(([element, child]) => [element, leaves(child)]))
  return setOf(set.owned && fields.size === 0, fields)
}

/** Every path of the set, a parent before its children. */
export function* pathsOf(set: FieldSet, prefix: readonly Element[] = []): IterableIterator<readonly Element[]> {
  if (set.owned) yield prefix
  for (const [element, child] of set.fields) yield* pathsOf(child, [...prefix, element])
}
