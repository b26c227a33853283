import { type Element, fieldElement } from './element.ts'
import { type FieldSet, isEmpty, leafSet, setOf } from './field-set.ts'
import type { FieldType } from './field-type.ts'
import { isHollow, isRecord, itemsByElement, resolve, typeOfField } from './value.ts'

/** The fields that a configuration specifies. Structs are not among them, the keys of maps and the items of lists are. */
export function fieldsOf(type: FieldType, value: unknown): FieldSet {
  const as = resolve(type, value)
  if (as.kind === 'leaf') return leafSet
  const fields = new Map<Element, FieldSet>()
  if (as.kind === 'list') {
    const items = itemsByElement(as, value)
    if (items === undefined) return leafSet
    for (const [element, same] of items)
      fields.set(element, same.length > 1 ? leafSet : setOf(true, fieldsOf(as.items, same[0]).fields))
  } else {
    for (const [name, child] of Object.entries(isRecord(value) ? value : {})) {
      const below = fieldsOf(typeOfField(as, name), child)
      const declared = as.kind === 'struct' && as.fields.has(name)
      const hollow = child === null || (isRecord(child) && isHollow(child))
      const node = setOf(below.owned || hollow || !declared, below.fields)
      if (!isEmpty(node)) fields.set(fieldElement(name), node)
    }
  }
  return setOf(false, fields)
}

/** The set with every declared field of a struct that other paths go through. */
export function withNamedFields(type: FieldType, set: FieldSet): FieldSet {
  const fields = new Map<Element, FieldSet>()
  for (const [element, child] of set.fields) {
    const name = element.startsWith('f:') ? element.slice(2) : undefined
    const declared = name !== undefined && type.kind === 'struct' && type.fields.has(name)
    const below = type.kind === 'list' ? type.items : typeOfField(type, name ?? '')
    const named = withNamedFields(below, child)
    fields.set(element, declared && !named.owned ? setOf(true, named.fields) : named)
  }
  return setOf(set.owned, fields)
}
