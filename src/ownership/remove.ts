import { fieldElement } from './element.ts'
import type { FieldSet } from './field-set.ts'
import type { FieldType } from './field-type.ts'
import { elementOf, isRecord, resolve, typeOfField } from './value.ts'

/** The value without the fields and items of a set; lists and maps that become empty go too. Shares what it keeps. */
export function removeFields(type: FieldType, value: unknown, set: FieldSet): unknown {
  if (set.fields.size === 0) return value
  const as = resolve(type, value)
  if (as.kind === 'leaf') return value
  if (as.kind === 'list') return Array.isArray(value) ? removeItems(as, value, set) : value
  if (!isRecord(value)) return value
  const kept: Record<string, unknown> = {}
  let some = false
  for (const [name, child] of Object.entries(value)) {
    const below = set.fields.get(fieldElement(name))
    if (below?.owned) continue
    const rest = below === undefined ? child : removeFields(typeOfField(as, name), child, below)
    if (rest === undefined) continue
    kept[name] = rest
    some = true
  }
  return some ? kept : undefined
}

function removeItems(type: FieldType & { kind: 'list' }, list: readonly unknown[], set: FieldSet): unknown {
  const kept: unknown[] = []
  for (const item of list) {
    const element = elementOf(type, item)
    const below = typeof element === 'string' ? set.fields.get(element) : undefined
    if (below?.owned) continue
    const rest = below === undefined ? item : removeFields(type.items, item, below)
    if (rest !== undefined) kept.push(rest)
  }
  return kept.length > 0 ? kept : undefined
}
