import fc, { type Arbitrary } from 'fast-check'
import type { Kind } from './contract.ts'
import { findMessage, getMessage } from './protobuf-table.ts'
import { type Scalar, type Shape, schemaOf, structType } from './schema.ts'

const word = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .filter((text) => text.isWellFormed() && text !== '__proto__')
/** Not the second at which 1970 begins, which Go reads as no time. */
const seconds = fc
  .date({ min: new Date('0002-01-01T00:00:00Z'), max: new Date('9999-01-01T00:00:00Z'), noInvalidDate: true })
  .filter((date) => Math.floor(date.getTime() / 1000) !== 0)

/** Values other than zero: those that Go cannot tell from missing ones are left out on purpose. */
const scalars: Readonly<Record<Scalar, Arbitrary<unknown>>> = {
  string: word,
  boolean: fc.constant(true),
  int32: fc.integer().filter((value) => value !== 0),
  int64: fc.maxSafeInteger().filter((value) => value !== 0),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0),
  byte: fc.uint8Array({ minLength: 1, maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  'date-time': seconds.map((date) => `${date.toISOString().slice(0, 19)}Z`),
  'date-time-micro': seconds.map((date) => `${date.toISOString().slice(0, 19)}.012345Z`),
  'int-or-string': fc.oneof(fc.integer({ min: 1, max: 65535 }), word),
  quantity: fc.constantFrom('0', '1', '500m', '64Mi', '1e3'),
}

/** Objects of a kind with random fields of the schema, empty parts left out. */
export function arbitraryObject(kind: Kind): Arbitrary<Record<string, unknown>> {
  return arbitraryStruct(schemaOf(kind)!.key, 0).map((value) => withoutEmpty(value) as Record<string, unknown>)
}

/** The names that have a number. */
function numberedNames(message: string): Set<string> {
  const names = getMessage(message).fields.flatMap((field) =>
    field.holds === 'inline' && field.element.kind === 'message'
      ? [...numberedNames(field.element.message)]
      : [field.name],
  )
  return new Set(names)
}

const oneSchema = fc.constantFrom({ type: 'string' }, { $ref: '#/a', nullable: true })
const orBool = fc.oneof(fc.boolean(), oneSchema)

/** The fields of a JSON schema that are more than one thing. */
const schemaParts: Readonly<Record<string, Arbitrary<unknown>>> = {
  items: fc.oneof(oneSchema, fc.array(oneSchema, { minLength: 1, maxLength: 2 })),
  additionalItems: orBool,
  additionalProperties: orBool,
  dependencies: fc.dictionary(word, fc.oneof(oneSchema, fc.array(word, { minLength: 1, maxLength: 2 })), {
    maxKeys: 2,
  }),
}

const structs = new Map<string, Arbitrary<Record<string, unknown>>>()

function arbitraryStruct(key: string, depth: number): Arbitrary<Record<string, unknown>> {
  const known = structs.get(`${depth} ${key}`)
  if (known !== undefined) return known
  const names = findMessage(key) === undefined ? undefined : numberedNames(key)
  const fields: Record<string, Arbitrary<unknown>> = {}
  for (const [name, { shape }] of structType(key).properties) {
    if (names !== undefined && !names.has(name)) continue
    const value =
      schemaParts[name] !== undefined && names?.has('x-kubernetes-map-type')
        ? schemaParts[name]
        : arbitraryShape(shape, depth)
    if (value !== undefined && key !== 'apiextensions.v1.CustomResourceSubresources')
      fields[name] = fc.option(value, { nil: undefined, freq: depth < 2 ? 3 : 1 })
  }
  const struct = fc.record(fields)
  structs.set(`${depth} ${key}`, struct)
  return struct
}

function arbitraryShape(shape: Shape, depth: number): Arbitrary<unknown> | undefined {
  switch (shape.kind) {
    case 'scalar':
      return scalars[shape.scalar]
    case 'any':
      return fc.constantFrom({ a: [1, null, 'x'] }, [1], 'text', 1)
    case 'struct':
      return depth > 7 ? undefined : arbitraryStruct(shape.type, depth + 1)
    case 'list': {
      const item = arbitraryShape(shape.items, depth)
      return item && fc.array(item, { maxLength: 2 })
    }
    case 'map': {
      const item = arbitraryShape(shape.values, depth)
      return item && fc.dictionary(word, item, { maxKeys: 2 })
    }
    default:
      return shape satisfies never
  }
}

/** The value without nulls and without empty objects and lists in objects, which Go's JSON shows where there is nothing. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, item]) => [name, withoutEmpty(item)] as const)
  return Object.fromEntries(entries.filter(([, item]) => !isEmpty(item)))
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
