import { type Element, fieldElement } from './element.ts'
import { difference, emptySet, type FieldSet, leafSet, setOf } from './field-set.ts'
import type { FieldType } from './field-type.ts'
import { equalValues, isHollow, isRecord, itemsByElement, resolve, typeOfField } from './value.ts'

/** Where two objects differ. */
export interface Comparison {
  /** Fields that only the second has. */
  readonly added: FieldSet
  readonly modified: FieldSet
  /** Fields that only the first has. */
  readonly removed: FieldSet
}

type Change = keyof Comparison
const changes = ['added', 'modified', 'removed'] as const
const nothing: Comparison = { added: emptySet, modified: emptySet, removed: emptySet }
const whole: Readonly<Record<Change, Comparison>> = {
  added: { ...nothing, added: leafSet },
  modified: { ...nothing, modified: leafSet },
  removed: { ...nothing, removed: leafSet },
}

/** Compares two values of a type, field by field, down to what is owned as one piece. Unlike a field set, it names new structs too. */
export function compare(type: FieldType, before: unknown, after: unknown): Comparison {
  return differ(type, before, after) ?? nothing
}

/** Fields of metadata that nobody owns: the server's, and those that name the object. */
export const unownedMetadata: ReadonlySet<string> = new Set(
  'name namespace creationTimestamp selfLink uid clusterName generation managedFields resourceVersion'.split(' '),
)

/** Compares two whole objects, save for the fields that nobody owns. */
export function compareObjects(type: FieldType, before: object, after: object): Comparison {
  const found = new Gathered()
  const from = before as Record<string, unknown>
  const to = after as Record<string, unknown>
  const as = resolve(type, to)
  if (as.kind !== 'struct' && as.kind !== 'map') return nothing
  for (const name of namesOf(from, to)) {
    if (name === 'apiVersion' || name === 'kind') continue
    const below = resolve(typeOfField(as, name), {})
    if (name === 'metadata' && (below.kind === 'struct' || below.kind === 'map'))
      found.add('f:metadata', differInFields(below, from[name] ?? {}, to[name] ?? {}, unownedMetadata))
    else found.add(fieldElement(name), differInField(as, name, from[name], to[name]))
  }
  return found.finish(before, after) ?? nothing
}

/** The comparison without these fields and all below them. */
export function without(comparison: Comparison, fields: FieldSet): Comparison {
  return {
    added: difference(comparison.added, fields, true),
    modified: difference(comparison.modified, fields, true),
    removed: difference(comparison.removed, fields, true),
  }
}

function differ(type: FieldType, before: unknown, after: unknown): Comparison | undefined {
  if (before === after) return undefined
  if (type.kind === 'leaf' || (isHollow(before) && isHollow(after))) return differAsOne(before, after)
  const from = resolve(type, before)
  const to = resolve(type, after)
  const as = before === undefined ? to : after === undefined ? from : from.kind === to.kind ? to : undefined
  if (as === undefined) return differInForm(type, before, after)
  switch (as.kind) {
    case 'leaf':
      return differAsOne(before, after)
    case 'list':
      return differInItems(as, before, after)
    case 'struct':
    case 'map':
      return differInFields(as, before, after)
    default:
      return as satisfies never
  }
}

function differAsOne(before: unknown, after: unknown): Comparison | undefined {
  if (before === undefined) return whole.added
  if (after === undefined) return whole.removed
  return equalValues(before, after) ? undefined : whole.modified
}

/** A value that became of another kind: it is modified, and what was or is below comes or goes. */
function differInForm(type: FieldType, before: unknown, after: unknown): Comparison {
  const gone = before === null ? undefined : differ(type, before, undefined)
  const come = after === null ? undefined : differ(type, undefined, after)
  return {
    added: setOf(false, come?.added.fields ?? new Map()),
    modified: leafSet,
    removed: setOf(false, gone?.removed.fields ?? new Map()),
  }
}

function differInFields(
  type: FieldType & { kind: 'struct' | 'map' },
  before: unknown,
  after: unknown,
  except?: ReadonlySet<string>,
): Comparison | undefined {
  const from = isRecord(before) ? before : {}
  const to = isRecord(after) ? after : {}
  const found = new Gathered()
  for (const name of namesOf(from, to)) {
    if (except?.has(name)) continue
    found.add(fieldElement(name), differInField(type, name, from[name], to[name]))
  }
  return found.finish(before, after)
}

function differInField(
  type: FieldType & { kind: 'struct' | 'map' },
  name: string,
  before: unknown,
  after: unknown,
): Comparison | undefined {
  const missing = type.kind === 'struct' ? type.fields.get(name)?.missing : undefined
  if (missing === undefined) return differ(typeOfField(type, name), before, after)
  return differ(typeOfField(type, name), before ?? missing, after ?? missing)
}

function namesOf(from: Record<string, unknown>, to: Record<string, unknown>): readonly string[] {
  const names = Object.keys(from)
  for (const name in to) if (!Object.hasOwn(from, name)) names.push(name)
  return names
}

function differInItems(type: FieldType & { kind: 'list' }, before: unknown, after: unknown): Comparison | undefined {
  // Most lists of an update are as they were, and telling their items apart is what costs.
  if (equalValues(before, after)) return undefined
  const from = itemsByElement(type, before)
  const to = itemsByElement(type, after)
  // An item without its keys was let through by validation; nobody can own a part of such a list.
  if (from === undefined || to === undefined) return differAsOne(before, after)
  const found = new Gathered()
  for (const element of new Set([...from.keys(), ...to.keys()])) {
    const old = from.get(element) ?? []
    const now = to.get(element) ?? []
    if (old.length > 1 || now.length > 1)
      found.add(element, differAsOne(old.length > 0 ? old : undefined, now.length > 0 ? now : undefined))
    else found.add(element, differ(type.items, old[0], now[0]))
  }
  return found.finish(before, after)
}

/** Collects the comparisons of the children of one node. */
class Gathered {
  readonly #fields: Partial<Record<Change, Map<Element, FieldSet>>> = {}

  add(element: Element, comparison: Comparison | undefined): void {
    if (comparison === undefined) return
    for (const change of changes) {
      const set = comparison[change]
      if (set === emptySet) continue
      this.#fields[change] ??= new Map()
      this.#fields[change].set(element, set)
    }
  }

  /** The comparison of the node itself; it is added or removed when one side lacks it. */
  finish(before: unknown, after: unknown): Comparison | undefined {
    const { added, modified, removed } = this.#fields
    if (before !== undefined && after !== undefined && !added && !modified && !removed) return undefined
    return {
      added: setOf(before === undefined, added ?? emptySet.fields),
      modified: setOf(false, modified ?? emptySet.fields),
      removed: setOf(after === undefined, removed ?? emptySet.fields),
    }
  }
}
