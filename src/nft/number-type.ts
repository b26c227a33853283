import { hexDigit, refuse } from './address-text.ts'
import type { ValueType } from './value-type.ts'
import type { Words } from './words.ts'

/** The unsigned decimal, or hexadecimal with `0x`, that text[from, to) spells; -1 when it is none or above `limit`. */
function scanNumber(text: string, from: number, to: number, limit: number): number {
  if (from >= to) return -1
  const hex = text.charCodeAt(from) === 48 && (text.charCodeAt(from + 1) | 32) === 120
  const base = hex ? 16 : 10
  let i = hex ? from + 2 : from
  if (i >= to) return -1
  let value = 0
  for (; i < to; i++) {
    const digit = hexDigit(text.charCodeAt(i))
    if (digit < 0 || digit >= base) return -1
    value = value * base + digit
    if (value > limit) return -1
  }
  return value
}

const limits: Record<number, number> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff, 8: Number.MAX_SAFE_INTEGER }

/** Writes a number of `size` bytes. */
export function store(
  value: number,
  size: number,
  order: 'network' | 'host' | 'none',
  buffer: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < size; i++) {
    // Shifting takes numbers for 32 bits.
    const byte = i < 4 ? value >>> (8 * i) : Math.floor(value / 2 ** 32) >>> (8 * (i - 4))
    buffer[order === 'network' ? at + size - 1 - i : at + i] = byte
  }
}

/** The inverse of `store`. */
export function load(size: number, order: 'network' | 'host' | 'none', buffer: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < size; i++) value += (buffer[order === 'network' ? at + size - 1 - i : at + i] ?? 0) * 2 ** (8 * i)
  return value
}

/** A number type, with words for some of its values. */
export function numeric(
  shape: Pick<ValueType, 'name' | 'id' | 'size' | 'order' | 'perLine'> & { words?: Words; bitmask?: boolean },
  render: (value: number) => string = String,
): ValueType {
  const { name, size, order, words = [], bitmask = false } = shape
  const limit = limits[size] ?? 0
  const valueByWord = new Map(words)
  const wordByValue = new Map<number, string>()
  for (const [word, value] of words) if (!wordByValue.has(value)) wordByValue.set(value, word)
  return {
    name,
    id: shape.id,
    size,
    order,
    perLine: shape.perLine,
    ...(bitmask ? { bitmask: words } : {}),
    write(text, from, to, buffer, at) {
      const first = text.charCodeAt(from)
      const value =
        first >= 48 && first <= 57
          ? scanNumber(text, from, to, limit)
          : bitmask
            ? flagsValue(text.slice(from, to), valueByWord)
            : (valueByWord.get(text.slice(from, to)) ?? -1)
      if (value < 0) refuse(name, text, from, to)
      store(value, size, order, buffer, at)
    },
    read(buffer, at) {
      const value = load(size, order, buffer, at)
      return bitmask ? flagsText(value, words) : (wordByValue.get(value) ?? render(value))
    },
  }
}

function flagsValue(text: string, valueByWord: ReadonlyMap<string, number>): number {
  let value = 0
  for (const word of text.split(/[,|]/)) {
    const bit = valueByWord.get(word.trim())
    if (bit === undefined) return -1
    value |= bit
  }
  return value
}

function flagsText(value: number, words: Words): string {
  const set = words.filter(([, bit]) => (value & bit) !== 0)
  const rest = set.reduce((left, [, bit]) => left & ~bit, value)
  return set.length === 0 || rest !== 0 ? `0x${value.toString(16)}` : set.map(([word]) => word).join(',')
}

/** A raw field as nft prints it. */
export const hex = (value: number) => `0x${value.toString(16)}`

/** A mark as nft prints it. */
export const hex8 = (value: number) => `0x${value.toString(16).padStart(8, '0')}`
