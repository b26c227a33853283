import type { AttributeWriter } from '../netlink/index.ts'
import { parseKeyRange, writeParts } from './element-key.ts'
import { value as encodeValue, encodeVerdict } from './encode-instruction.ts'
import { commentTlv } from './encode-set.ts'
import { ELEMENT_INTERVAL_END, NFTA_LIST_ELEM } from './kernel.ts'
import type { Element } from './language.ts'
import { parseVerdict } from './render-words.ts'
import type { SetShape } from './set-shape.ts'
import { successor } from './value-text.ts'

const ELEMENTS = 3
/** A list is an attribute, whose length has 16 bits; this leaves room for the longest element and its interval end. */
const listLimit = 0xffff - 2048
const NESTED = 0x80

/** One message with elements, without its end. */
export interface ElementMessage {
  /** Writes everything up to the list: header, table and set; gives the message's offset. */
  begin(firstElement: number): number
  end(start: number, firstElement: number, count: number): void
}

/**
 * Writes elements in as many messages as lists below 64 KiB need. A `key` alone is enough to delete. Throws a TypeError
 * that names the set and the element when its text does not fit the set's types.
 */
export function encodeElements(
  writer: AttributeWriter,
  shape: SetShape,
  elements: readonly Element[],
  deleting: boolean,
  message: ElementMessage,
): void {
  const layout = deleting || shape.value === undefined ? keyLayout(shape) : valueLayout(shape)
  let at = 0
  while (at < elements.length) {
    const first = at
    const start = message.begin(first)
    const list = writer.nest(ELEMENTS)
    while (at < elements.length && writer.length - list < listLimit) {
      const element = elements[at]!
      try {
        encodeElement(writer, shape, layout, element, deleting)
      } catch (cause) {
        throw new TypeError(`set ${shape.name}, element "${element.key}": ${(cause as Error).message}`, { cause })
      }
      at++
    }
    writer.end(list)
    message.end(start, first, at - first)
  }
}

/** The bytes of a plain element with its attribute headers, in which only key and value are to be filled in. */
interface Layout {
  readonly template: Uint8Array
  readonly valueAt: number
}

const keyAt = 12

function keyLayout(shape: SetShape): Layout | undefined {
  return shape.interval ? undefined : { template: template(shape.keySize, 0), valueAt: 0 }
}

function valueLayout(shape: SetShape): Layout | undefined {
  if (shape.interval || shape.value === 'verdict') return undefined
  return { template: template(shape.keySize, shape.valueSize), valueAt: keyAt + pad(shape.keySize) + 8 }
}

const pad = (size: number) => (size + 3) & ~3

function template(keySize: number, valueSize: number): Uint8Array {
  const size = keyAt + pad(keySize) + (valueSize === 0 ? 0 : 8 + pad(valueSize))
  const bytes = new Uint8Array(size)
  const header = (at: number, length: number, type: number, nested: number) => {
    bytes.set([length & 0xff, length >> 8, type, nested], at)
  }
  header(0, size, NFTA_LIST_ELEM, NESTED)
  header(4, 8 + pad(keySize), 1, NESTED)
  header(8, 4 + keySize, 1, 0)
  if (valueSize > 0) {
    const at = keyAt + pad(keySize)
    header(at, 8 + pad(valueSize), 2, NESTED)
    header(at + 4, 4 + valueSize, 1, 0)
  }
  return bytes
}

function encodeElement(
  writer: AttributeWriter,
  shape: SetShape,
  layout: Layout | undefined,
  element: Element,
  deleting: boolean,
): void {
  const plain = deleting || (element.comment === undefined && element.timeoutSeconds === undefined)
  if (layout !== undefined && plain) encodePlain(writer, shape, layout, element)
  else if (shape.interval && shape.key.length === 1) encodeInterval(writer, shape, element, deleting)
  else encodeFull(writer, shape, element, deleting)
}

/** The hot path: one copy and the text's own digits; no object is made. */
function encodePlain(writer: AttributeWriter, shape: SetShape, layout: Layout, element: Element): void {
  const { template, valueAt } = layout
  const start = writer.length
  const at = writer.reserve(template.length)
  const buffer = writer.view
  for (let i = 0; i < template.length; i++) buffer[at + i] = template[i]!
  try {
    writeParts(shape.key, element.key, buffer, at + keyAt)
    if (valueAt > 0)
      writeParts(
        shape.value as Exclude<SetShape['value'], 'verdict' | undefined>,
        getValue(element),
        buffer,
        at + valueAt,
      )
  } catch (error) {
    writer.truncate(start)
    throw error
  }
}

function getValue(element: Element): string {
  if (element.value === undefined) throw new TypeError('it has no value')
  return element.value
}

function encodeFull(writer: AttributeWriter, shape: SetShape, element: Element, deleting: boolean): void {
  const item = writer.nest(NFTA_LIST_ELEM)
  if (shape.interval) {
    const { low, high } = parseKeyRange(shape, element.key)
    encodeValue(writer, 1, low)
    encodeValue(writer, 10, high)
  } else {
    const key = new Uint8Array(shape.keySize)
    writeParts(shape.key, element.key, key, 0)
    encodeValue(writer, 1, key)
  }
  if (!deleting) encodeRest(writer, shape, element, false)
  writer.end(item)
}

/** An interval of single values is two elements: its first value, and the first value after it. */
function encodeInterval(writer: AttributeWriter, shape: SetShape, element: Element, deleting: boolean): void {
  const { low, high } = parseKeyRange(shape, element.key)
  const end = successor(high)
  const item = writer.nest(NFTA_LIST_ELEM)
  encodeValue(writer, 1, low)
  if (!deleting) encodeRest(writer, shape, element, end === undefined)
  writer.end(item)
  if (end === undefined) return
  const closing = writer.nest(NFTA_LIST_ELEM)
  writer.u32be(3, ELEMENT_INTERVAL_END)
  encodeValue(writer, 1, end)
  writer.end(closing)
}

function encodeRest(writer: AttributeWriter, shape: SetShape, element: Element, open: boolean): void {
  if (shape.value === 'verdict') encodeVerdict(writer, 2, parseVerdict(getValue(element)))
  else if (shape.value !== undefined) {
    const bytes = new Uint8Array(shape.valueSize)
    writeParts(shape.value, getValue(element), bytes, 0)
    encodeValue(writer, 2, bytes)
  }
  if (element.timeoutSeconds !== undefined) writer.u64be(4, BigInt(Math.round(element.timeoutSeconds * 1000)))
  const userData = [
    ...(element.comment === undefined ? [] : commentTlv(0, element.comment)),
    // nft's mark of an interval that runs to the highest value (NFTNL_UDATA_SET_ELEM_FLAGS).
    ...(open ? [1, 4, 1, 0, 0, 0] : []),
  ]
  if (userData.length > 0) writer.bytes(6, Uint8Array.from(userData))
}
