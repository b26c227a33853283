import { formMessages, type Parts, renderTime } from './protobuf-forms.ts'
import { type Element, type Field, type Form, getMessage, type Message, type WireScalar } from './protobuf-table.ts'
import { type Cursor, ProtobufError, readDouble, readEnd, readInt64, readTag, skipField, wire } from './wire.ts'

type JsonRecord = Record<string, unknown>

/** How deep messages may nest; Kubernetes' own types stay under 20, JSON schemas are text. */
const depthLimit = 100

/** Reads whole objects inside of objects (RawExtension). */
export type ReadNested = (bytes: Buffer, budget: number) => unknown

/** Reads a message into `target` up to `end`; a field that comes twice is merged or replaced as protobuf says. */
export function readMessage(
  cursor: Cursor,
  end: number,
  message: Message,
  target: JsonRecord,
  nested: ReadNested,
  depth = 0,
): JsonRecord {
  if (depth > depthLimit) throw new ProtobufError(`nested more than ${depthLimit} levels deep`)
  while (cursor.at < end) {
    const tag = readTag(cursor)
    const field = message.byNumber.get(Math.floor(tag / 8))
    if (field === undefined) skipField(cursor, tag, end)
    else readField(cursor, end, field, tag % 8, { target, message, nested, depth })
  }
  // A varint may run over the end of its message while there are bytes after it.
  if (cursor.at > end) throw new ProtobufError('unexpected EOF')
  return target
}

interface Place {
  readonly target: JsonRecord
  readonly message: Message
  readonly nested: ReadNested
  readonly depth: number
}

function readField(cursor: Cursor, limit: number, field: Field, type: number, place: Place): void {
  const { name, element } = field
  const { target } = place
  switch (field.holds) {
    case 'inline':
      readMessage(
        cursor,
        endOf(cursor, limit, field, type, place),
        messageOf(element),
        target,
        place.nested,
        place.depth,
      )
      return
    case 'map':
      readEntry(cursor, endOf(cursor, limit, field, type, place), field, place)
      return
    case 'list':
      readItems(cursor, limit, field, type, place)
      return
    case 'one': {
      const old = target[name]
      const value = readElement(cursor, limit, field, type, place, old)
      if (value === undefined || (field.dropsZero && isZero(value, element))) delete target[name]
      else target[name] = value
      return
    }
    default:
      field.holds satisfies never
  }
}

/** A quantity has no zero that is left out: Go prints it. */
function isZero(value: unknown, element: Element): boolean {
  if (element.kind === 'message') return Object.keys(value as object).length === 0
  if (element.kind === 'form') return element.form === 'int-or-string' && (value === 0 || value === '')
  return value === '' || value === 0 || value === false
}

function messageOf(element: Element): Message {
  if (element.kind !== 'message') throw new Error('an embedded field is a message')
  return getMessage(element.message)
}

function wrongType(field: Field, type: number, place: Place): ProtobufError {
  return new ProtobufError(`wrong wireType = ${type} for field ${field.name} of ${place.message.name}`)
}

function endOf(cursor: Cursor, limit: number, field: Field, type: number, place: Place): number {
  if (type !== wire.bytes) throw wrongType(field, type, place)
  return readEnd(cursor, limit)
}

function readItems(cursor: Cursor, limit: number, field: Field, type: number, place: Place): void {
  const { element, name } = field
  place.target[name] ??= []
  const items = place.target[name] as unknown[]
  const packable = element.kind === 'scalar' && element.scalar !== 'string' && element.scalar !== 'bytes'
  if (!packable || type !== wire.bytes) {
    items.push(readElement(cursor, limit, field, type, place, undefined) ?? null)
    return
  }
  const end = readEnd(cursor, limit)
  while (cursor.at < end) {
    if (--cursor.budget < 0) throw new ProtobufError('too many fields')
    items.push(readScalar(cursor, end, element.scalar))
  }
  if (cursor.at > end) throw new ProtobufError('unexpected EOF')
}

/** A map's entry: a message with the key as field 1 and the value as field 2; either may be left out when zero. */
function readEntry(cursor: Cursor, end: number, field: Field, place: Place): void {
  let key = ''
  let value: unknown
  while (cursor.at < end) {
    const tag = readTag(cursor)
    const type = tag % 8
    if (Math.floor(tag / 8) === 1) key = readText(cursor, endOf(cursor, end, field, type, place))
    else if (Math.floor(tag / 8) === 2) value = readElement(cursor, end, field, type, place, value)
    else skipField(cursor, tag, end)
  }
  if (cursor.at > end) throw new ProtobufError('unexpected EOF')
  // JavaScript would take it for the prototype.
  if (key === '__proto__') throw new ProtobufError('a field may not be called "__proto__"')
  place.target[field.name] ??= {}
  const map = place.target[field.name] as JsonRecord
  map[key] = value ?? zeroOf(field.element)
}

function zeroOf(element: Element): unknown {
  if (element.kind === 'message') return {}
  if (element.kind === 'form') return element.form === 'quantity' ? '0' : element.form === 'strings' ? [] : null
  return element.scalar === 'string' || element.scalar === 'bytes' ? '' : element.scalar === 'bool' ? false : 0
}

/** One value; undefined for a time that is not set. */
function readElement(cursor: Cursor, limit: number, field: Field, type: number, place: Place, old: unknown): unknown {
  const { element } = field
  const depth = place.depth + 1
  switch (element.kind) {
    case 'scalar':
      if (type !== wireTypeOf(element.scalar)) throw wrongType(field, type, place)
      return readScalar(cursor, limit, element.scalar)
    case 'message': {
      const end = endOf(cursor, limit, field, type, place)
      const message = getMessage(element.message)
      return readMessage(cursor, end, message, (old ?? {}) as JsonRecord, place.nested, depth)
    }
    case 'form': {
      const end = endOf(cursor, limit, field, type, place)
      const parts: JsonRecord = {}
      readMessage(cursor, end, formMessages[element.form], parts, place.nested, depth)
      return renderForm(element.form, parts as Parts, place.nested, cursor)
    }
    default:
      return element satisfies never
  }
}

/** The wire type that a scalar has outside of a packed list. */
export function wireTypeOf(scalar: WireScalar): number {
  if (scalar === 'string' || scalar === 'bytes') return wire.bytes
  return scalar === 'double' ? wire.fixed64 : wire.varint
}

function readText(cursor: Cursor, end: number): string {
  const text = cursor.bytes.toString('utf8', cursor.at, end)
  cursor.at = end
  return text
}

function readScalar(cursor: Cursor, limit: number, scalar: WireScalar): unknown {
  switch (scalar) {
    case 'string':
      return readText(cursor, readEnd(cursor, limit))
    case 'bytes': {
      const end = readEnd(cursor, limit)
      const text = cursor.bytes.toString('base64', cursor.at, end)
      cursor.at = end
      return text
    }
    case 'bool':
      return readInt64(cursor) !== 0
    case 'int32':
      // Go keeps the low half of what is there.
      return readInt64(cursor) | 0
    case 'int64':
      return readInt64(cursor)
    case 'double': {
      const value = readDouble(cursor, limit)
      if (!Number.isFinite(value)) throw new ProtobufError(`${value} is no JSON number`)
      return value
    }
    default:
      return scalar satisfies never
  }
}

function renderForm(form: Form, parts: Parts, nested: ReadNested, cursor: Cursor): unknown {
  switch (form) {
    case 'quantity':
      return parts.string || '0'
    case 'int-or-string':
      return parts.type === 1 ? (parts.strVal ?? '') : (parts.intVal ?? 0)
    case 'time':
    case 'micro-time':
      return renderTime(parts, form === 'micro-time')
    case 'strings':
      return parts.items ?? []
    case 'schema-or-bool':
      return parts.schema ?? parts.allows ?? false
    case 'schema-or-list':
      return parts.schemas ?? parts.schema
    case 'schema-or-names':
      return parts.names ?? parts.schema
    case 'fields':
    case 'raw': {
      const raw = Buffer.from(parts.raw ?? '', 'base64')
      return raw.length === 0 ? undefined : nested(raw, cursor.budget)
    }
    default:
      return form satisfies never
  }
}
