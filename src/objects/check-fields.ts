import { checkScalar, jsonType } from './check-scalar.ts'
import type { Kind } from './contract.ts'
import { type Shape, type StructType, schemaOf, structType } from './schema.ts'

/** What decoding an object into its Go type would complain about. */
export interface FieldCheck {
  /** `unknown field "spec.foo"`: refused under `fieldValidation=Strict`, warned about under `Warn`. At most 100. */
  readonly unknown: readonly string[]
  /** Values of a wrong type, with the decoder's text; the first is what upstream reports. At most 100. */
  readonly typeErrors: readonly { readonly field: string; readonly message: string }[]
}

/** sigs.k8s.io/json stops collecting strict errors there. */
const limit = 100

interface Walk {
  readonly unknown: string[]
  readonly typeErrors: { field: string; message: string }[]
}

/** Checks an object's fields and their types against the schema of its kind; kinds without one (custom resources) have no errors. */
export function checkFields(kind: Pick<Kind, 'group' | 'version' | 'kind'>, object: unknown): FieldCheck {
  const schema = schemaOf(kind)
  const walk: Walk = { unknown: [], typeErrors: [] }
  if (schema === undefined) return walk
  if (!isRecord(object)) {
    const message = `json: cannot unmarshal ${jsonType(object)} into Go value of type ${goName(schema.key)}`
    walk.typeErrors.push({ field: '', message })
  } else checkStruct(walk, schema, object, '')
  return walk
}

function checkStruct(walk: Walk, struct: StructType, object: Record<string, unknown>, path: string): void {
  for (const [name, value] of Object.entries(object)) {
    const at = path === '' ? name : `${path}.${name}`
    const property = struct.properties.get(name)
    if (property === undefined) {
      if (walk.unknown.length < limit) walk.unknown.push(`unknown field "${at}"`)
    } else checkShape(walk, property.shape, value, at, `${shortName(struct.key)}.${withoutIndexes(at)}`)
  }
}

/** `holder` is the Go struct field as encoding/json names it: the struct's own name, then the path without indexes. */
function checkShape(walk: Walk, shape: Shape, value: unknown, path: string, holder: string): void {
  if (value === null || value === undefined) return
  if (shape.kind === 'scalar') {
    const message = checkScalar(shape.scalar, value, holder)
    if (message !== undefined) report(walk, path, message)
  } else if (shape.kind === 'list' && Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkShape(walk, shape.items, item, `${path}[${index}]`, holder)
  } else if (shape.kind === 'map' && isRecord(value)) {
    for (const [key, item] of Object.entries(value)) checkShape(walk, shape.values, item, `${path}.${key}`, holder)
  } else if (shape.kind === 'struct' && isRecord(value)) {
    checkStruct(walk, structType(shape.type), value, path)
  } else if (shape.kind !== 'any') mismatch(walk, shape, value, path, holder)
}

function mismatch(walk: Walk, shape: Shape, value: unknown, path: string, holder: string): void {
  report(
    walk,
    path,
    `json: cannot unmarshal ${jsonType(value)} into Go struct field ${holder} of type ${goType(shape)}`,
  )
}

function report(walk: Walk, field: string, message: string): void {
  if (walk.typeErrors.length < limit) walk.typeErrors.push({ field, message })
}

function goType(shape: Shape): string {
  switch (shape.kind) {
    case 'list':
      return `[]${goType(shape.items)}`
    case 'map':
      return `map[string]${goType(shape.values)}`
    case 'struct':
      return goName(shape.type)
    case 'any':
      return 'interface {}'
    case 'scalar':
      return goScalars[shape.scalar] ?? shape.scalar
    default:
      return shape satisfies never
  }
}

const goScalars: Readonly<Record<string, string>> = {
  boolean: 'bool',
  double: 'float64',
  byte: '[]uint8',
  'date-time': 'v1.Time',
  'date-time-micro': 'v1.MicroTime',
  'int-or-string': 'intstr.IntOrString',
  quantity: 'resource.Quantity',
}

/** `core.v1.ServicePort` as Go prints it: `v1.ServicePort`. */
function goName(key: string): string {
  return key.slice(key.indexOf('.') + 1)
}

function shortName(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}

function withoutIndexes(path: string): string {
  return path.replace(/\[\d+\]/g, '')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
