import { type Element, keyElement, valueElement } from './element.ts'
import { deduced, type FieldType, leaf } from './field-type.ts'

/** A JSON object. */
export type JsonRecord = Record<string, unknown>

/** Whether the value is a JSON object (no list, not null). */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a list or map is missing, null or holds nothing. */
export function isHollow(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && !hasKeys(value)
}

function hasKeys(value: object): boolean {
  for (const _ in value) return true
  return false
}

/** Deep equality of JSON values. */
export function equalValues(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equalValues(a[i], b[i])) return false
    return true
  }
  if (!isRecord(a) || !isRecord(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) if (!Object.hasOwn(b, key) || !equalValues(a[key], b[key])) return false
  return true
}

const deducedMap = { kind: 'map', values: deduced } as const satisfies FieldType

/** The type under which a value is looked at: what a deduced one turns out to be, and one piece where the value does not fit. */
export function resolve(type: FieldType, value: unknown): Exclude<FieldType, { kind: 'deduced' }> {
  if (type.kind === 'deduced') return isRecord(value) ? deducedMap : leaf
  if (value === undefined || value === null) return type
  if (type.kind === 'list') return Array.isArray(value) ? type : leaf
  if (type.kind === 'leaf') return leaf
  return isRecord(value) ? type : leaf
}

/** The type of one field; undeclared fields are deduced. */
export function typeOfField(type: FieldType, name: string): FieldType {
  if (type.kind === 'map') return type.values
  return (type.kind === 'struct' ? type.fields.get(name)?.type : undefined) ?? deduced
}

/** The step to an item of an associative list; or why there is none, in upstream's words. */
export function elementOf(type: FieldType & { kind: 'list' }, item: unknown): Element | { readonly error: string } {
  if (type.keys.length === 0) {
    if (isRecord(item)) return { error: "associative list without keys has an element that's a map type" }
    if (Array.isArray(item)) return { error: 'not supported: associative list with lists as elements' }
    if (item === null) return { error: "associative list without keys has an element that's an explicit null" }
    return valueElement(item)
  }
  if (item === null) return { error: 'associative list with keys may not have a null element' }
  if (!isRecord(item)) return { error: 'associative list with keys may not have non-map elements' }
  const fields: JsonRecord = {}
  for (const key of type.keys) {
    const value = item[key] ?? type.defaults[key]
    if (value === undefined)
      return {
        error: `associative list with keys has an element that omits key field ${JSON.stringify(key)} (and doesn't have default value)`,
      }
    fields[key] = value
  }
  return keyElement(fields)
}

/** The items of an associative list by their steps, in order; undefined when one of them has none. Duplicates stand together. */
export function itemsByElement(
  type: FieldType & { kind: 'list' },
  list: unknown,
): ReadonlyMap<Element, readonly unknown[]> | undefined {
  const items = new Map<Element, unknown[]>()
  for (const item of Array.isArray(list) ? list : []) {
    const element = elementOf(type, item)
    if (typeof element !== 'string') return undefined
    const same = items.get(element)
    if (same === undefined) items.set(element, [item])
    else same.push(item)
  }
  return items
}
