import type { ValueType } from './value-type.ts'

/** The bytes of one constant. */
export function valueBytes(type: ValueType, text: string): Uint8Array {
  const bytes = new Uint8Array(type.size)
  type.write(text, 0, text.length, bytes, 0)
  return bytes
}

/** What one constant means: one value, or all from `low` to `high`. A prefix knows its length in bits. */
export interface Range {
  readonly low: Uint8Array
  readonly high: Uint8Array
  readonly prefixLength?: number
}

/** The values that `text` spells: `A`, `A-B`, `A/LENGTH`. Throws a TypeError that quotes it. */
export function parseRange(type: ValueType, text: string): Range {
  const slash = text.indexOf('/')
  if (slash > 0) return parsePrefix(type, text, slash)
  const dash = type.name === 'ifname' ? -1 : dashIn(text)
  if (dash < 0) {
    const low = valueBytes(type, text)
    return { low, high: low }
  }
  const low = valueBytes(type, text.slice(0, dash))
  const high = valueBytes(type, text.slice(dash + 1))
  const order = compareValues(type, low, high)
  if (order === 0) return { low, high: low }
  if (order > 0) throw new TypeError(`"${text}" runs backwards`)
  return { low, high }
}

/** Words such as `echo-request` hold dashes that part nothing. */
function dashIn(text: string): number {
  const match = /^[0-9a-fA-F.:x]+-[0-9a-fA-F.:x]+$/.exec(text)
  return match === null ? -1 : text.indexOf('-')
}

function parsePrefix(type: ValueType, text: string, slash: number): Range {
  const digits = text.slice(slash + 1)
  const prefixLength = /^\d{1,3}$/.test(digits) ? Number(digits) : -1
  const isAddress = type.name === 'ipv4_addr' || type.name === 'ipv6_addr'
  if (!isAddress || prefixLength < 0 || prefixLength > type.size * 8) {
    throw new TypeError(`"${text}" is no prefix of ${type.name}`)
  }
  const low = valueBytes(type, text.slice(0, slash))
  if (prefixLength === type.size * 8) return { low, high: low }
  const high = low.slice()
  for (let i = 0; i < type.size; i++) {
    const mask = maskByte(prefixLength, i)
    low[i]! &= mask
    high[i] = low[i]! | (~mask & 0xff)
  }
  return { low, high, prefixLength }
}

/** Byte `index` of the mask of a prefix. */
export function maskByte(prefixLength: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefixLength - 8 * index))
  return (0xff << (8 - bits)) & 0xff
}

/** Order by number, whatever the byte order. */
export function compareValues(type: ValueType, a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < type.size; i++) {
    const at = type.order === 'host' && type.name !== 'ifname' ? type.size - 1 - i : i
    const difference = a[at]! - b[at]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Big-endian bytes plus one; undefined when they were all ones. */
export function successor(bytes: Uint8Array): Uint8Array | undefined {
  const next = bytes.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i]! + 1) & 0xff
    if (next[i] !== 0) return next
  }
  return undefined
}

/** Big-endian bytes minus one; zero stays zero. */
export function predecessor(bytes: Uint8Array): Uint8Array {
  const next = bytes.slice()
  if (next.every((byte) => byte === 0)) return next
  for (let i = next.length - 1; i >= 0; i--) {
    const byte = next[i]!
    next[i] = (byte - 1) & 0xff
    if (byte !== 0) break
  }
  return next
}

/** The text of the values from `low` to `high`: one value, a prefix when they are one, or a range. */
export function renderRange(type: ValueType, low: Uint8Array, high: Uint8Array): string {
  const first = type.read(low, 0)
  const last = type.read(high, 0)
  if (first === last) return first
  const isAddress = type.name === 'ipv4_addr' || type.name === 'ipv6_addr'
  const length = isAddress ? prefixLengthOf(low, high) : undefined
  return length === undefined ? `${first}-${last}` : `${first}/${length}`
}

function prefixLengthOf(low: Uint8Array, high: Uint8Array): number | undefined {
  let length = 0
  while (length < low.length * 8 && bitAt(low, length) === bitAt(high, length)) length++
  for (let i = length; i < low.length * 8; i++) if (bitAt(low, i) !== 0 || bitAt(high, i) !== 1) return undefined
  return length
}

function bitAt(bytes: Uint8Array, index: number): number {
  return (bytes[index >> 3]! >> (7 - (index & 7))) & 1
}

/** Whether any of these keys, parts joined by ` . `, covers more than one value. */
export function hasRanges(types: readonly ValueType[], keys: readonly string[]): boolean {
  return keys.some((key) =>
    key.split(' . ').some((part, i) => {
      const type = types[i]
      if (type === undefined) throw new TypeError(`"${key}" has more parts than its key`)
      const { low, high } = parseRange(type, part)
      return low !== high
    }),
  )
}
