import type { AttributeWriter } from '../netlink/index.ts'
import { NFTA_LIST_ELEM, setFlags } from './kernel.ts'
import type { SetDeclaration } from './language.ts'
import { type SetShape, shapeOf, typeNumber } from './set-shape.ts'
import type { ValueType } from './value-type.ts'

/** Types of libnftnl's TLVs in NFTA_SET_USERDATA (enum nftnl_udata_set_types). */
const KEY_BYTE_ORDER = 0
const DATA_BYTE_ORDER = 1
const DATA_INTERVAL = 6
const COMMENT = 7

/** nft's own default size of a set that rules add to; it adds that when it loads such a rule. */
export const dynamicSize = 65535

/** The flags of a set with those that others imply. */
export function effectiveFlags(set: SetDeclaration): readonly ('constant' | 'interval' | 'dynamic' | 'timeout')[] {
  const flags = new Set(set.flags)
  if (set.timeoutSeconds !== undefined) flags.add('timeout')
  return (['constant', 'interval', 'dynamic', 'timeout'] as const).filter((flag) => flags.has(flag))
}

/** The size of a set as the kernel gets it. */
export function effectiveSize(set: SetDeclaration): number | undefined {
  return set.size ?? (set.flags?.includes('dynamic') ? dynamicSize : undefined)
}

/** Writes the attributes of a named set, after its table's name. */
export function encodeSet(writer: AttributeWriter, set: SetDeclaration, id: number): void {
  const shape = shapeOf(set)
  const flags = effectiveFlags(set).reduce((bits, flag) => bits | setFlags[flag], shapeFlags(shape))
  writer.string(2, set.name)
  encodeShape(writer, shape, flags, id, effectiveSize(set))
  if (set.timeoutSeconds !== undefined) writer.u64be(11, BigInt(Math.round(set.timeoutSeconds * 1000)))
  writer.bytes(13, setUserData(shape, set.comment))
}

/** Writes the attributes of a set that one rule holds; the kernel fills the `%d` of its name. */
export function encodeAnonymousSet(writer: AttributeWriter, shape: SetShape, id: number, size: number): void {
  writer.string(2, shape.name)
  encodeShape(writer, shape, shapeFlags(shape) | setFlags.anonymous | setFlags.constant, id, size)
  writer.bytes(13, setUserData(shape, undefined))
}

function shapeFlags(shape: SetShape): number {
  let flags = shape.value === undefined ? 0 : setFlags.map
  if (shape.interval) flags |= setFlags.interval
  if (shape.interval && shape.key.length > 1) flags |= setFlags.concat
  return flags
}

const VERDICT_TYPE = 0xffffff00

function encodeShape(w: AttributeWriter, shape: SetShape, flags: number, id: number, size: number | undefined): void {
  w.u32be(3, flags)
  w.u32be(4, typeNumber(shape.key))
  w.u32be(5, shape.keySize)
  if (shape.value !== undefined) {
    w.u32be(6, shape.value === 'verdict' ? VERDICT_TYPE : typeNumber(shape.value))
    w.u32be(7, shape.valueSize)
  }
  w.u32be(10, id)
  const fields = (flags & setFlags.concat) === 0 ? [] : shape.key
  if (size === undefined && fields.length === 0) return
  const description = w.nest(9)
  if (size !== undefined) w.u32be(1, size)
  if (fields.length > 0) encodeFields(w, fields)
  w.end(description)
}

/** NFTA_SET_DESC_CONCAT: the length of each part, by which ranges in concatenations are matched. */
function encodeFields(w: AttributeWriter, fields: readonly ValueType[]): void {
  const list = w.nest(2)
  for (const field of fields) {
    const item = w.nest(NFTA_LIST_ELEM)
    w.u32be(1, field.size)
    w.end(item)
  }
  w.end(list)
}

/** nft's notes to itself, without which it prints values in the wrong byte order. */
function setUserData(shape: SetShape, comment: string | undefined): Uint8Array {
  const parts: number[] = [...tlv32(KEY_BYTE_ORDER, byteOrder(shape.key))]
  if (shape.value !== undefined) {
    parts.push(...tlv32(DATA_BYTE_ORDER, shape.value === 'verdict' ? 0 : byteOrder(shape.value)))
    parts.push(...tlv32(DATA_INTERVAL, 0))
  }
  if (comment !== undefined) parts.push(...commentTlv(COMMENT, comment))
  return Uint8Array.from(parts)
}

/** enum byteorder of nft: 0 none, 1 host, 2 network. */
function byteOrder(parts: readonly ValueType[]): number {
  const [only] = parts
  if (parts.length !== 1 || only === undefined || only.order === 'none') return 0
  return only.order === 'host' ? 1 : 2
}

function tlv32(type: number, value: number): number[] {
  return [type, 4, value, 0, 0, 0]
}

/** A comment as a TLV with a terminating NUL; the length is one byte, and nft's limit is 128 characters. */
export function commentTlv(type: number, comment: string): Uint8Array {
  const text = Buffer.from(comment, 'utf8')
  if (text.length > 127) throw new TypeError(`a comment of ${text.length} bytes exceeds nft's 127: "${comment}"`)
  if (/["\n\0]/.test(comment))
    throw new TypeError(`a comment cannot hold quotes or line ends: ${JSON.stringify(comment)}`)
  return Uint8Array.from([type, text.length + 1, ...text, 0])
}
