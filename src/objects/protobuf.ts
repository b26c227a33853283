import { type ReadNested, readMessage } from './protobuf-decode.ts'
import { writeHead, writeMessage } from './protobuf-encode.ts'
import { type Field, type Message, messageOf } from './protobuf-table.ts'
import { BackwardWriter, ProtobufError, readEnd, readTag, skipField, wire } from './wire.ts'

/** The media type of Kubernetes' protobuf. */
export const protobufType = 'application/vnd.kubernetes.protobuf'

const magic = Buffer.from('k8s\0')
/** So many fields may one body have: over a hundred bytes of value in memory for each two on the wire. */
const fieldLimit = 1_000_000

function text(number: number, name: string): Field {
  return { number, name, holds: 'one', element: { kind: 'scalar', scalar: 'string' }, dropsZero: false }
}

function message(name: string, ...fields: Field[]): Message {
  return { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) }
}

const typeMeta = message('runtime.TypeMeta', text(1, 'apiVersion'), text(2, 'kind'))
const typeMetaNumber = 1
const rawNumber = 2
/** What stands around every object: runtime.Unknown. Its typeMeta and raw are read by hand, to copy nothing. */
const unknown = message('runtime.Unknown', text(3, 'contentEncoding'), text(4, 'contentType'))

/** An object as JSON clients would have sent it, and what it says it is. */
export interface DecodedProtobuf {
  readonly apiVersion: string
  readonly kind: string
  readonly object: Record<string, unknown>
}

/** Reads `k8s\0` and a runtime.Unknown; throws a ProtobufError for anything else. */
export function decodeProtobuf(bytes: Buffer): DecodedProtobuf {
  return decode(bytes, fieldLimit, 0)
}

function decode(bytes: Buffer, budget: number, level: number): DecodedProtobuf {
  const { type, raw } = openEnvelope(bytes)
  const { apiVersion = '', kind = '' } = type
  if (kind === '') throw new ProtobufError("Object 'Kind' is missing in the protobuf body")
  if (apiVersion === '') throw new ProtobufError("Object 'apiVersion' is missing in the protobuf body")
  const found = messageOf(apiVersion, kind)
  if (found === undefined)
    throw new ProtobufError(
      `no protobuf form of ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)} is known`,
      'unknown-kind',
    )
  const cursor = { bytes: raw, at: 0, budget }
  const object = readMessage(cursor, raw.length, found, { apiVersion, kind }, nestedAt(level))
  return { apiVersion, kind, object }
}

/** Reads what a RawExtension carries: JSON, or an object in an envelope of its own. */
function nestedAt(level: number): ReadNested {
  return (raw, budget) => {
    if (!raw.subarray(0, 4).equals(magic)) return parseJson(raw)
    if (level > 10) throw new ProtobufError('objects nested more than 10 levels deep')
    return decode(raw, budget, level + 1).object
  }
}

function parseJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString())
  } catch (error) {
    throw new ProtobufError(`embedded JSON: ${(error as Error).message}`)
  }
}

interface Envelope {
  readonly type: { readonly apiVersion?: string; readonly kind?: string }
  readonly raw: Buffer
}

function openEnvelope(bytes: Buffer): Envelope {
  if (!bytes.subarray(0, 4).equals(magic))
    throw new ProtobufError('provided data does not appear to be a protobuf message: it does not start with "k8s\\0"')
  const cursor = { bytes, at: 4, budget: 1000 }
  const type: Record<string, unknown> = {}
  const about: { contentEncoding?: string; contentType?: string } = {}
  let raw = bytes.subarray(0, 0)
  while (cursor.at < bytes.length) {
    const start = cursor.at
    const tag = readTag(cursor)
    if (tag === typeMetaNumber * 8 + wire.bytes)
      readMessage(cursor, readEnd(cursor, bytes.length), typeMeta, type, nestedAt(0))
    else if (tag === rawNumber * 8 + wire.bytes) {
      const end = readEnd(cursor, bytes.length)
      raw = bytes.subarray(cursor.at, end)
      cursor.at = end
    } else {
      skipField(cursor, tag, bytes.length)
      readMessage({ bytes, at: start, budget: 2 }, cursor.at, unknown, about, nestedAt(0))
    }
  }
  if (cursor.at > bytes.length) throw new ProtobufError('unexpected EOF')
  const { contentEncoding = '', contentType = '' } = about
  if (contentEncoding !== '') throw new ProtobufError(`content encoding "${contentEncoding}" is not supported`)
  if (contentType !== '' && contentType !== protobufType)
    throw new ProtobufError(`content type "${contentType}" is not supported inside of a protobuf body`)
  return { type, raw }
}

/** The object as `k8s\0` and a runtime.Unknown; throws a ProtobufError for kinds and fields whose numbers are not known. */
export function encodeProtobuf(object: Readonly<Record<string, unknown>>): Buffer {
  const { apiVersion, kind } = object
  const found = messageOf(String(apiVersion), String(kind))
  if (found === undefined)
    throw new ProtobufError(`no protobuf form of ${String(apiVersion)} ${String(kind)} is known`, 'unknown-kind')
  const writer = new BackwardWriter()
  writer.int64(0)
  writer.tag(4, wire.bytes)
  writer.int64(0)
  writer.tag(3, wire.bytes)
  const afterRaw = writer.length
  writeMessage(writer, found, object)
  writeHead(writer, rawNumber, afterRaw)
  const afterType = writer.length
  writeMessage(writer, typeMeta, { apiVersion, kind })
  writeHead(writer, typeMetaNumber, afterType)
  writer.bytes(magic)
  return writer.finish()
}
