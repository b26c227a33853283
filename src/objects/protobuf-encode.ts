import { wireTypeOf } from './protobuf-decode.ts'
import { formMessages, parseTime } from './protobuf-forms.ts'
import { type Element, type Field, type Form, getMessage, type Message, type WireScalar } from './protobuf-table.ts'
import { type BackwardWriter, ProtobufError, wire } from './wire.ts'

type JsonRecord = Readonly<Record<string, unknown>>

/** Said once by the envelope, and by items of lists though Go leaves it out. */
const identity = new Set(['apiVersion', 'kind'])

/** Writes a message, its last field first. Fields that have no number are refused, so that nothing is lost silently. */
export function writeMessage(writer: BackwardWriter, message: Message, value: JsonRecord): void {
  const written = writeFields(writer, message, value)
  for (const name of Object.keys(value))
    if (!written.has(name) && value[name] !== null && value[name] !== undefined && !identity.has(name))
      throw new ProtobufError(`no field number of ${message.name}.${name} is known`)
}

/** The names of the fields that the message has, embedded ones included. */
function writeFields(writer: BackwardWriter, message: Message, value: JsonRecord): Set<string> {
  const names = new Set<string>()
  for (let at = message.fields.length - 1; at >= 0; at--) {
    const field = message.fields[at]!
    if (field.holds === 'inline') {
      const end = writer.length
      for (const name of writeFields(writer, getMessage(embeddedName(field)), value)) names.add(name)
      if (writer.length > end) writeHead(writer, field.number, end)
      continue
    }
    names.add(field.name)
    const item = value[field.name]
    if (item !== null && item !== undefined) writeField(writer, message, field, item)
  }
  return names
}

function embeddedName({ element }: Field): string {
  if (element.kind !== 'message') throw new Error('an embedded field is a message')
  return element.message
}

/** Puts tag and length before what was written since the writer had `end` bytes. */
export function writeHead(writer: BackwardWriter, number: number, end: number): void {
  writer.int64(writer.length - end)
  writer.tag(number, wire.bytes)
}

function wrong(message: Message, field: Field, value: unknown): ProtobufError {
  const text = JSON.stringify(value)?.slice(0, 100)
  return new ProtobufError(`${message.name}.${field.name}: ${text} has no protobuf form`)
}

function writeField(writer: BackwardWriter, message: Message, field: Field, value: unknown): void {
  const complain = (item: unknown) => wrong(message, field, item)
  if (field.holds === 'one') {
    writeElement(writer, field.number, field.element, value, complain)
    return
  }
  if (field.holds === 'list') {
    if (!Array.isArray(value)) throw complain(value)
    for (let at = value.length - 1; at >= 0; at--)
      writeElement(writer, field.number, field.element, value[at], complain)
    return
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw complain(value)
  for (const [key, item] of Object.entries(value).reverse()) {
    const end = writer.length
    writeElement(writer, 2, field.element, item, complain)
    writeElement(writer, 1, { kind: 'scalar', scalar: 'string' }, key, complain)
    writeHead(writer, field.number, end)
  }
}

type Complain = (value: unknown) => ProtobufError

function writeElement(writer: BackwardWriter, number: number, element: Element, value: unknown, complain: Complain) {
  if (element.kind === 'scalar') {
    writeScalar(writer, number, element.scalar, value, complain)
    return
  }
  const end = writer.length
  if (element.kind === 'form') writeMessage(writer, formMessages[element.form], partsOf(element.form, value, complain))
  else if (typeof value === 'object' && value !== null)
    writeMessage(writer, getMessage(element.message), value as JsonRecord)
  else throw complain(value)
  writeHead(writer, number, end)
}

function writeScalar(writer: BackwardWriter, number: number, scalar: WireScalar, value: unknown, complain: Complain) {
  const end = writer.length
  if (scalar === 'string' || scalar === 'bytes') {
    if (typeof value !== 'string') throw complain(value)
    if (scalar === 'string') writer.text(value)
    else writer.bytes(Buffer.from(value, 'base64'))
    writeHead(writer, number, end)
    return
  }
  if (typeof value !== (scalar === 'bool' ? 'boolean' : 'number')) throw complain(value)
  if (scalar === 'double') writer.double(value as number)
  else {
    const integer = Number(value)
    if (!Number.isInteger(integer) || Math.abs(integer) > 2 ** 63) throw complain(value)
    writer.int64(integer)
  }
  writer.tag(number, wireTypeOf(scalar))
}

function partsOf(form: Form, value: unknown, complain: Complain): JsonRecord {
  switch (form) {
    case 'quantity':
      if (typeof value !== 'string' && typeof value !== 'number') throw complain(value)
      return { string: String(value) }
    case 'int-or-string':
      if (typeof value === 'string') return { type: 1, intVal: 0, strVal: value }
      return { type: 0, intVal: value, strVal: '' }
    case 'time':
      return { ...parseTime(value), ...(value ? { nanos: 0 } : {}) }
    case 'micro-time':
      return { ...parseTime(value) }
    case 'strings':
      return { items: value }
    case 'schema-or-bool':
      return typeof value === 'boolean' ? { allows: value } : { allows: true, schema: value }
    case 'schema-or-list':
      return Array.isArray(value) ? { schemas: value } : { schema: value }
    case 'schema-or-names':
      return Array.isArray(value) ? { names: value } : { schema: value }
    case 'fields':
    case 'raw':
      return { raw: Buffer.from(JSON.stringify(value)).toString('base64') }
    default:
      return form satisfies never
  }
}
