import { structType } from '../objects/index.ts'
import { deduced, type Field, type FieldType, leaf, typeOfStruct } from './field-type.ts'

/** What a structural schema (apiextensions.k8s.io/v1 JSONSchemaProps) says about ownership. */
export interface OwnershipSchema {
  readonly type?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, OwnershipSchema>>
  readonly additionalProperties?: OwnershipSchema | boolean
  readonly items?: OwnershipSchema
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-embedded-resource'?: boolean
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular'
}

const types = new WeakMap<OwnershipSchema, FieldType>()

/** The type of the objects of a custom kind: its schema, with the metadata that every object has. */
export function typeOfDefinition(schema: OwnershipSchema): FieldType {
  let type = types.get(schema)
  if (type === undefined) {
    type = typeOfObject(schema)
    types.set(schema, type)
  }
  return type
}

function typeOfObject(schema: OwnershipSchema): FieldType {
  const fields = new Map(fieldsOfSchema(schema))
  fields.set('apiVersion', { type: leaf }).set('kind', { type: leaf })
  fields.set('metadata', { type: typeOfStruct(structType('meta.v1.ObjectMeta')) })
  return { kind: 'struct', fields, open: isOpen(schema) }
}

function typeOfSchema(schema: OwnershipSchema): FieldType {
  if (schema['x-kubernetes-embedded-resource']) return typeOfObject(schema)
  if (schema.type === 'array') return typeOfList(schema)
  if (schema.type !== 'object') return schema.type === undefined && isOpen(schema) ? deduced : leaf
  if (schema['x-kubernetes-map-type'] === 'atomic') return leaf
  if (schema.properties !== undefined) return { kind: 'struct', fields: fieldsOfSchema(schema), open: isOpen(schema) }
  const { additionalProperties } = schema
  if (typeof additionalProperties === 'object') return { kind: 'map', values: typeOfSchema(additionalProperties) }
  return deduced
}

function typeOfList(schema: OwnershipSchema): FieldType {
  const listType = schema['x-kubernetes-list-type']
  const items = schema.items ?? {}
  if (listType === 'set') return { kind: 'list', keys: [], defaults: {}, items: leaf }
  if (listType !== 'map') return leaf
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const defaults = Object.fromEntries(keys.map((key) => [key, items.properties?.[key]?.default]))
  return { kind: 'list', keys, defaults, items: typeOfSchema(items) }
}

function fieldsOfSchema({ properties = {} }: OwnershipSchema): ReadonlyMap<string, Field> {
  return new Map(Object.entries(properties).map(([name, schema]) => [name, { type: typeOfSchema(schema) }]))
}

function isOpen(schema: OwnershipSchema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true
}
