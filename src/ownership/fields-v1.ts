import { type Element, parseElement, sortElements } from './element.ts'
import { emptySet, type FieldSet, isEmpty, setOf } from './field-set.ts'

/** The JSON of `fieldsV1`: `{"f:spec":{"f:replicas":{}}}`; a dot marks a path that is in the set although others go through it. */
export interface FieldsV1 {
  readonly [element: string]: FieldsV1
}

// A stored entry is parsed once, however many writes look at it.
const parsed = new WeakMap<object, FieldSet>()

/** The set that a `fieldsV1` describes; undefined when it is malformed. Steps of unknown kinds are left out, as upstream does. */
export function parseFieldsV1(value: unknown): FieldSet | undefined {
  if (!isRecord(value)) return undefined
  let set = parsed.get(value)
  if (set === undefined) {
    set = parseNode(value, false)
    if (set !== undefined) parsed.set(value, set)
  }
  return set
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
    const node = parseNode(child, Object.keys(child).length === 0)
    if (node === undefined) return undefined
    if (!isEmpty(node)) fields.set(element, node)
  }
  return fields.size === 0 && !here ? emptySet : setOf(here, fields)
}

/** The `fieldsV1` of a set, its keys in upstream's order. */
export function renderFieldsV1(set: FieldSet): FieldsV1 {
  const value = renderNode(set)
  parsed.set(value, set)
  return value
}

function renderNode(set: FieldSet): FieldsV1 {
  const node: Record<string, FieldsV1> = {}
  for (const element of sortElements(set.fields.keys())) {
    const child = set.fields.get(element)!
    node[element] = child.owned && child.fields.size > 0 ? { '.': {}, ...renderNode(child) } : renderNode(child)
  }
  return node
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
