import { type Element, fieldElement, renderElement, renderPath } from './element.ts'
import type { FieldType } from './field-type.ts'
import { elementOf, isRecord, typeOfField } from './value.ts'

/**
 * What keeps a configuration from being applied, in upstream's words: undeclared fields, items of list maps that lack a key or
 * come twice. At most 10.
 */
export function checkTyped(type: FieldType, value: unknown): readonly string[] {
  const found: string[] = []
  visit(type, value, [], found)
  return found
}

const limit = 10

function visit(type: FieldType, value: unknown, path: readonly Element[], found: string[]): void {
  if (value === null || value === undefined || found.length >= limit) return
  if (type.kind === 'leaf' || type.kind === 'deduced') return
  if (type.kind === 'list') {
    if (Array.isArray(value)) visitItems(type, value, path, found)
    else say(path, `expected list, got ${JSON.stringify(value)}`, found)
  } else if (isRecord(value)) visitFields(type, value, path, found)
  else say(path, `expected map, got ${JSON.stringify(value)}`, found)
}

function visitFields(
  type: FieldType & { kind: 'struct' | 'map' },
  value: Record<string, unknown>,
  path: readonly Element[],
  found: string[],
): void {
  for (const [name, child] of Object.entries(value)) {
    const below = [...path, fieldElement(name)]
    if (type.kind === 'struct' && !type.open && !type.fields.has(name))
      say(below, 'field not declared in schema', found)
    else visit(typeOfField(type, name), child, below, found)
  }
}

function visitItems(
  type: FieldType & { kind: 'list' },
  list: readonly unknown[],
  path: readonly Element[],
  found: string[],
): void {
  const seen = new Set<Element>()
  for (const [index, item] of list.entries()) {
    const element = elementOf(type, item)
    if (typeof element !== 'string') {
      say(path, `element ${index}: ${element.error}`, found)
      continue
    }
    if (seen.has(element)) say(path, `duplicate entries for key ${renderElement(element)}`, found)
    seen.add(element)
    visit(type.items, item, [...path, element], found)
  }
}

function say(path: readonly Element[], message: string, found: string[]): void {
  if (found.length < limit) found.push(path.length === 0 ? message : `${renderPath(path)}: ${message}`)
}
