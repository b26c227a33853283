import assert from 'node:assert/strict'
import { isIPv4, isIPv6 } from 'node:net'

/** IP family, as its version number. Code paths take it as data. */
export type Family = 4 | 6

/** Both families, IPv4 first, the order in which Kubernetes lists single-family defaults. */
export const families = [4, 6] as const

declare const brand: unique symbol

/** An IP address in canonical text (dotted quad, RFC 5952). Equal addresses are equal strings, so it is a map key. */
export type Address = string & { readonly [brand]: 'Address' }

/** The family of an address. */
export function familyOf(address: Address): Family {
  return address.includes(':') ? 6 : 4
}

/** The address that `text` spells, or undefined. IPv4 with leading zeros, zones and IPv4-mapped IPv6 are refused, as KEP-4858 asks. */
export function findAddress(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address
  if (!isIPv6(text) || text.includes('%')) return undefined
  const bytes = parseV6(text)
  if (isMapped(bytes)) return undefined
  return renderV6(bytes)
}

/** The address that `text` spells; throws on anything that `findAddress` refuses. */
export function parseAddress(text: string): Address {
  const address = findAddress(text)
  if (address === undefined) throw new TypeError(`"${text}" is not an IP address`)
  return address
}

/** The 4 or 16 bytes of an address, network order. */
export function bytesOf(address: Address): Uint8Array {
  return address.includes(':') ? parseV6(address) : parseV4(address)
}

/** The address of 4 or 16 bytes in network order. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address
  assert.equal(bytes.length, 16, 'an address has 4 or 16 bytes')
  return renderV6(bytes)
}

/** The address as an unsigned integer, for arithmetic on ranges. */
export function offsetOf(address: Address): bigint {
  let value = 0n
  for (const byte of bytesOf(address)) value = (value << 8n) | BigInt(byte)
  return value
}

/** The inverse of `offsetOf`. */
export function addressAt(family: Family, value: bigint): Address {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  let rest = value
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  assert.equal(rest, 0n, `${value} is outside IPv${family}`)
  return addressFromBytes(bytes)
}

function parseV4(text: string): Uint8Array {
  const bytes = new Uint8Array(4)
  let at = 0
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      bytes[at++] = value
      value = 0
    } else value = value * 10 + code - 48
  }
  bytes[at] = value
  return bytes
}

function parseV6(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const [head = '', tail] = text.split('::')
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  bytes.set(left, 0)
  bytes.set(right, 16 - right.length)
  return bytes
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...parseV4(group)]
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0)
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
function renderV6(bytes: Uint8Array): Address {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  let start = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && words[end] === 0) end++
    if (end - i > length) {
      start = i
      length = end - i
    }
    if (end > i) i = end
  }
  const hex = words.map((word) => word.toString(16))
  if (start < 0) return hex.join(':') as Address
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}` as Address
}
