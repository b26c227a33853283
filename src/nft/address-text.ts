import { bytesOf, findAddress } from '../addr/index.ts'

/** Throws the TypeError that quotes what text[from, to) spells. */
export function refuse(type: string, text: string, from: number, to: number): never {
  throw new TypeError(`"${text.slice(from, to)}" is no ${type}`)
}

/** Dotted quad. */
export function writeIpv4(text: string, from: number, to: number, buffer: Uint8Array, at: number): void {
  let value = 0
  let digits = 0
  let index = 0
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (digits === 0 || index === 3) refuse('ipv4_addr', text, from, to)
      buffer[at + index++] = value
      value = 0
      digits = 0
    } else {
      value = value * 10 + code - 48
      if (code < 48 || code > 57 || ++digits > 3 || value > 255) refuse('ipv4_addr', text, from, to)
    }
  }
  if (index !== 3 || digits === 0) refuse('ipv4_addr', text, from, to)
  buffer[at + 3] = value
}

/** Hexadecimal groups with at most one `::`, without a slice or an array: loads of 100,000 elements pass here. */
export function writeIpv6(text: string, from: number, to: number, buffer: Uint8Array, at: number): void {
  let index = 0
  let gap = -1
  let i = from
  if (text.charCodeAt(i) === 58) {
    if (text.charCodeAt(i + 1) !== 58) refuse('ipv6_addr', text, from, to)
    gap = 0
    i += 2
  }
  while (i < to) {
    let value = 0
    let digits = 0
    for (; i < to; i++) {
      const digit = hexDigit(text.charCodeAt(i))
      if (digit < 0) break
      value = value * 16 + digit
      digits++
    }
    if (i < to && text.charCodeAt(i) === 46) {
      writeMixed(text, from, to, buffer, at)
      return
    }
    if (digits === 0 || digits > 4 || index === 16) refuse('ipv6_addr', text, from, to)
    buffer[at + index++] = value >> 8
    buffer[at + index++] = value
    if (i === to) break
    if (text.charCodeAt(i++) !== 58 || i === to) refuse('ipv6_addr', text, from, to)
    if (text.charCodeAt(i) !== 58) continue
    if (gap >= 0) refuse('ipv6_addr', text, from, to)
    gap = index
    i++
  }
  if (gap < 0 ? index !== 16 : index > 14) refuse('ipv6_addr', text, from, to)
  if (gap < 0) return
  buffer.copyWithin(at + 16 - (index - gap), at + gap, at + index)
  buffer.fill(0, at + gap, at + 16 - (index - gap))
}

/** The rare spelling that ends in a dotted quad. */
function writeMixed(text: string, from: number, to: number, buffer: Uint8Array, at: number): void {
  const address = findAddress(text.slice(from, to))
  if (address === undefined || !address.includes(':')) {
    refuse('ipv6_addr', text, from, to)
    return
  }
  buffer.set(bytesOf(address), at)
}

/** The value of a hexadecimal digit's character code, or -1. */
export function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 97 && code <= 102) return code - 87
  if (code >= 65 && code <= 70) return code - 55
  return -1
}
