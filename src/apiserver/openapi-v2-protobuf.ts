import { isRecord, type JsonRecord } from './value.ts'

// The field numbers are those of gnostic's openapiv2/OpenAPIv2.proto.

/** A Swagger 2.0 document as the message `openapi.v2.Document`. */
export function encodeSwagger(document: JsonRecord): Buffer {
  const { info, paths, definitions } = document as { info: JsonRecord; paths: JsonRecord; definitions: JsonRecord }
  return Buffer.concat([
    text(1, document.swagger),
    message(2, [text(1, info.title), text(2, info.version)]),
    message(8, named(2, paths, encodePath)),
    message(9, named(1, definitions, encodeSchema)),
  ])
}

const operations = { get: 2, put: 3, post: 4, delete: 5, patch: 8 }

function encodePath(item: JsonRecord): Buffer[] {
  return [
    ...Object.entries(operations).flatMap(([name, field]) => {
      const operation = item[name]
      return isRecord(operation) ? [message(field, encodeOperation(operation))] : []
    }),
    ...parameters(9, item.parameters),
  ]
}

function encodeOperation(operation: JsonRecord): Buffer[] {
  return [
    text(3, operation.description),
    ...texts(6, operation.produces),
    ...texts(7, operation.consumes),
    ...parameters(8, operation.parameters),
    message(
      9,
      named(1, operation.responses, (response) => [message(1, [text(1, response.description)])]),
    ),
    ...extensions(13, operation),
  ]
}

function parameters(field: number, list: unknown): Buffer[] {
  if (!Array.isArray(list)) return []
  return (list as JsonRecord[]).map((item) => message(field, [message(1, encodeParameter(item))]))
}

/** Where a parameter without a body stands: the member of the union, and the fields that all its members have. */
const places: Readonly<Record<string, number>> = { header: 1, formData: 2, query: 3, path: 4 }

function encodeParameter(item: JsonRecord): Buffer[] {
  if (item.in === 'body') {
    const schema = message(5, encodeSchema(item.schema as JsonRecord))
    return [message(1, [text(2, item.name), text(3, item.in), flag(4, item.required), schema])]
  }
  const place = places[String(item.in)] ?? 3
  // Queries and forms have `allow_empty_value` in between.
  const shift = place === 2 || place === 3 ? 1 : 0
  const fields = [
    flag(1, item.required),
    text(2, item.in),
    text(3, item.description),
    text(4, item.name),
    text(5 + shift, item.type),
    flag(19 + shift, item.uniqueItems),
  ]
  return [message(2, [message(place, fields)])]
}

function encodeSchema(schema: JsonRecord): Buffer[] {
  const { items, additionalProperties, properties, type, enum: values } = schema
  return [
    text(1, schema.$ref),
    text(2, schema.format),
    text(4, schema.description),
    double(7, schema.maximum),
    double(9, schema.minimum),
    text(13, schema.pattern),
    ...texts(19, schema.required),
    ...(Array.isArray(values) ? values.map((value) => message(20, [text(2, JSON.stringify(value))])) : []),
    ...(isRecord(additionalProperties) ? [message(21, [message(1, encodeSchema(additionalProperties))])] : []),
    ...(typeof type === 'string' ? [message(22, [text(1, type)])] : []),
    ...(isRecord(items) ? [message(23, [message(1, encodeSchema(items))])] : []),
    ...(isRecord(properties) ? [message(25, named(1, properties, encodeSchema))] : []),
    ...extensions(31, schema),
  ]
}

/** Vendor extensions: each a name and its value as YAML, of which JSON is a part. */
function extensions(field: number, object: JsonRecord): Buffer[] {
  return Object.entries(object).flatMap(([name, value]) =>
    name.startsWith('x-') ? [message(field, [text(1, name), message(2, [text(2, JSON.stringify(value))])])] : [],
  )
}

function named(field: number, map: unknown, encode: (value: JsonRecord) => Buffer[]): Buffer[] {
  if (!isRecord(map)) return []
  return Object.entries(map).map(([name, value]) =>
    message(field, [text(1, name), message(2, encode(value as JsonRecord))]),
  )
}

function message(field: number, parts: readonly Buffer[]): Buffer {
  return delimited(field, Buffer.concat(parts))
}

const nothing = Buffer.alloc(0)

function text(field: number, value: unknown): Buffer {
  return typeof value === 'string' && value !== '' ? delimited(field, Buffer.from(value)) : nothing
}

function texts(field: number, values: unknown): Buffer[] {
  return Array.isArray(values) ? values.map((value) => text(field, value)) : []
}

function flag(field: number, value: unknown): Buffer {
  return value === true ? Buffer.from([...varint(field * 8), 1]) : nothing
}

function double(field: number, value: unknown): Buffer {
  if (typeof value !== 'number') return nothing
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.from([...varint(field * 8 + 1), ...bytes])
}

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(content.length)]), content])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}
