import { isRecord, type JsonRecord } from '../objects/index.ts'
import { propertySchema, type StructuralSchema } from './schema.ts'

/** Reports end there, as for built-in kinds. */
const reportLimit = 100
const objectFields = new Set(['apiVersion', 'kind', 'metadata'])

/**
 * Drops the fields of a custom object that its schema does not name, in place, and tells their paths (`spec.foo`; at most 100).
 * `x-kubernetes-preserve-unknown-fields` keeps them at its own level; below it, what is specified is pruned again.
 */
export function pruneUnknown(object: JsonRecord, schema: StructuralSchema): readonly string[] {
  const unknown: string[] = []
  prune(object, { ...schema, 'x-kubernetes-embedded-resource': true }, '', unknown)
  return unknown
}

function prune(value: unknown, schema: StructuralSchema, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return
    for (const [index, item] of value.entries()) prune(item, schema.items, `${path}[${index}]`, unknown)
    return
  }
  if (!isRecord(value)) return
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true
  for (const [name, item] of Object.entries(value)) {
    if (schema['x-kubernetes-embedded-resource'] && objectFields.has(name)) continue
    const inner = propertySchema(schema, name)
    const at = path === '' ? name : `${path}.${name}`
    if (inner !== undefined) prune(item, inner, at, unknown)
    else if (!open) {
      delete value[name]
      if (unknown.length < reportLimit) unknown.push(at)
    }
  }
}

/** Sets the defaults of a structural schema where nothing is given, in place; a null where none may stand is nothing and goes. */
export function setDefaults(value: unknown, schema: StructuralSchema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) setDefaults(item, schema.items)
    return
  }
  if (!isRecord(value)) return
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (value[name] === null && property.nullable !== true) delete value[name]
    if (value[name] === undefined && property.default !== undefined) value[name] = structuredClone(property.default)
  }
  for (const [name, item] of Object.entries(value)) {
    const inner = propertySchema(schema, name)
    if (inner !== undefined) setDefaults(item, inner)
  }
}
