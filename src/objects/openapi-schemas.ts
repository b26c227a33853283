import type { Kind } from './contract.ts'
import { type Property, packageOf, type Shape, type StructType, schemaOf, structType } from './schema.ts'

type Json = Record<string, unknown>

const metaPackage = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const wellKnown = {
  time: `${metaPackage}.Time`,
  microTime: `${metaPackage}.MicroTime`,
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
}

const scalars: Readonly<Record<string, Json>> = {
  [wellKnown.time]: {
    description:
      'Time is a wrapper around time.Time which supports correct marshaling to YAML and JSON.  Wrappers are provided for many of the factory methods that the time package offers.',
    type: 'string',
    format: 'date-time',
  },
  [wellKnown.microTime]: {
    description: 'MicroTime is version of Time with microsecond level precision.',
    type: 'string',
    format: 'date-time',
  },
  [wellKnown.intOrString]: {
    description: 'A number, or the name of one.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [wellKnown.quantity]: {
    description: 'A fixed-point number with an optional suffix, such as 500m, 1.5 or 64Mi.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
}

/** The name under which a type stands in `components.schemas`: `io.k8s.api.core.v1.Pod`. */
export function schemaName(key: string): string {
  if (key.startsWith('meta.v1.')) return `${metaPackage}.${key.slice('meta.v1.'.length)}`
  if (key.startsWith('apiextensions.')) return `io.k8s.apiextensions-apiserver.pkg.apis.${key}`
  return `io.k8s.api.${key}`
}

/** OpenAPI v3 schemas of the kinds, their lists, and every type that they reach. */
export function schemasOf(kinds: readonly Kind[]): Record<string, Json> {
  const schemas: Record<string, Json> = {}
  for (const kind of kinds) {
    const struct = schemaOf(kind)
    if (struct === undefined) continue
    addStruct(schemas, struct)
    const name = schemaName(struct.key)
    const gvk = [{ group: kind.group, kind: kind.kind, version: kind.version }]
    schemas[name] = { ...schemas[name], 'x-kubernetes-group-version-kind': gvk }
    addStruct(schemas, structType('meta.v1.ListMeta'))
    schemas[`${name}List`] = listSchema(kind, name)
  }
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The schemas of the metadata that objects and lists of every kind have, and of what they reach. */
export function metaSchemas(): Record<string, Json> {
  const schemas: Record<string, Json> = {}
  for (const key of ['meta.v1.ListMeta', 'meta.v1.ObjectMeta']) addStruct(schemas, structType(key))
  return schemas
}

/** A property that has such metadata. */
export function metaProperty(type: 'ListMeta' | 'ObjectMeta'): Json {
  const description = type === 'ObjectMeta' ? 'Name, labels and what else all objects have.' : 'What all lists have.'
  return { description, allOf: [ref(schemaName(`meta.v1.${type}`))], default: {} }
}

function listSchema(kind: Kind, itemName: string): Json {
  const text = { type: 'string' }
  return {
    description: `${kind.kind}List is a list of ${kind.kind} objects.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: text,
      items: { type: 'array', items: { allOf: [ref(itemName)], default: {} } },
      kind: text,
      metadata: { allOf: [ref(schemaName('meta.v1.ListMeta'))], default: {} },
    },
    'x-kubernetes-group-version-kind': [{ group: kind.group, kind: `${kind.kind}List`, version: kind.version }],
  }
}

function addStruct(schemas: Record<string, Json>, struct: StructType): void {
  const name = schemaName(struct.key)
  if (name in schemas) return
  const schema: Json = { description: struct.description, type: 'object' }
  schemas[name] = schema
  const required = [...struct.properties].filter(([, property]) => property.required).map(([field]) => field)
  if (required.length > 0) schema.required = required
  schema.properties = Object.fromEntries(
    [...struct.properties].map(([field, property]) => [field, propertySchema(schemas, property)]),
  )
  if (struct.atomic) schema['x-kubernetes-map-type'] = 'atomic'
}

function propertySchema(schemas: Record<string, Json>, property: Property): Json {
  const schema: Json = { description: property.description, ...shapeSchema(schemas, property.shape) }
  if (property.shape.kind === 'list') schema['x-kubernetes-list-type'] = property.listType ?? 'atomic'
  if (property.listMapKeys !== undefined) schema['x-kubernetes-list-map-keys'] = property.listMapKeys
  if (property.patchMergeKey !== undefined) schema['x-kubernetes-patch-merge-key'] = property.patchMergeKey
  if (property.patchStrategy !== undefined) schema['x-kubernetes-patch-strategy'] = property.patchStrategy.join(',')
  if (property.atomic) schema['x-kubernetes-map-type'] = 'atomic'
  return schema
}

function shapeSchema(schemas: Record<string, Json>, shape: Shape): Json {
  switch (shape.kind) {
    case 'any':
      return { type: 'object' }
    case 'list':
      return { type: 'array', items: shapeSchema(schemas, shape.items) }
    case 'map':
      return { type: 'object', additionalProperties: shapeSchema(schemas, shape.values) }
    case 'struct':
      addStruct(schemas, structType(shape.type))
      return { allOf: [ref(schemaName(shape.type))], default: {} }
    case 'scalar':
      return scalarSchema(schemas, shape.scalar)
    default:
      return shape satisfies never
  }
}

function scalarSchema(schemas: Record<string, Json>, scalar: (Shape & { kind: 'scalar' })['scalar']): Json {
  switch (scalar) {
    case 'string':
    case 'boolean':
      return { type: scalar }
    case 'byte':
      return { type: 'string', format: 'byte' }
    case 'int32':
    case 'int64':
      return { type: 'integer', format: scalar }
    case 'double':
      return { type: 'number', format: 'double' }
    case 'date-time':
      return shared(schemas, wellKnown.time)
    case 'date-time-micro':
      return shared(schemas, wellKnown.microTime)
    case 'int-or-string':
      return shared(schemas, wellKnown.intOrString)
    case 'quantity':
      return shared(schemas, wellKnown.quantity)
    default:
      return scalar satisfies never
  }
}

function shared(schemas: Record<string, Json>, name: string): Json {
  schemas[name] ??= scalars[name] as Json
  return { allOf: [ref(name)] }
}

function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}

/** The schema name of a kind, also of one whose schema is not built in. */
export function schemaNameOf(kind: Pick<Kind, 'group' | 'version' | 'kind'>): string {
  return schemaName(`${packageOf(kind.group)}.${kind.version}.${kind.kind}`)
}
