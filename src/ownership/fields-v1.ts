import { type Element, parseElement, sortElements } from './element.ts'
import { emptySet, type FieldSet, isEmpty, setOf } from './field-set.ts'

/** The JSON of `fieldsV1`: `{"f:spec":{"f:replicas":{}}}`; a dot marks a path that is in the set although others go through it. */
export interface FieldsV1 {
  readonly [element: string]: FieldsV1
}

/** The set that a `fieldsV1` describes; undefined when it is malformed. Steps of unknown kinds are left out, as upstream does. */
export function parseFieldsV1(value: unknown): FieldSet | undefined {
  return isRecord(value) ? parseNode(value, false) : undefined
}

function parseNode(value: Record<string, unknown>, owned: boolean): FieldSet | undefined {
  const fields = new Map<Element, FieldSet>()
  let here = owned
  for (const [key, child] of Object.entries(value)) {
    if (!isRecord(child)) return undefined
    if (key === '.') {
      here = true
      continue
    }
    const element = parseElement(key)
    if (element === undefined) {
      if (/^[kvi]:/.test(key)) return undefined
      continue
    }
    const node = parseNode(child, isHollow(child))
    if (node === undefined) return undefined
    if (!isEmpty(node)) fields.set(element, node)
  }
  return fields.size === 0 && !here ? emptySet : setOf(here, fields)
}

/** The `fieldsV1` of a set, its keys in upstream's order. */
export function renderFieldsV1(set: FieldSet): FieldsV1 {
  const node: Record<string, FieldsV1> = {}
  for (const element of sortElements(set.fields.keys())) {
    const child = set.fields.get(element)!
    if (child.fields.size === 0) node[element] = nothing
    else node[element] = child.owned ? { '.': nothing, ...renderFieldsV1(child) } : renderFieldsV1(child)
  }
  return node
}

const nothing: FieldsV1 = Object.freeze({})

/** Whether a canonical `fieldsV1` has a path of this set, without parsing it. */
export function meets(value: FieldsV1, set: FieldSet): boolean {
  for (const [element, child] of set.fields) {
    const node = value[element]
    if (node !== undefined && ((child.owned && isOwned(node)) || meets(node, child))) return true
  }
  return false
}

/** Whether a canonical `fieldsV1` has every path of this set, without parsing it. */
export function holds(value: FieldsV1, set: FieldSet): boolean {
  for (const [element, child] of set.fields) {
    const node = value[element]
    if (node === undefined || (child.owned && !isOwned(node)) || !holds(node, child)) return false
  }
  return true
}

function isOwned(node: FieldsV1): boolean {
  return node['.'] !== undefined || isHollow(node)
}

function isHollow(value: object): boolean {
  for (const _ in value) return false
  return true
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
