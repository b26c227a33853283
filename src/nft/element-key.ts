import type { SetShape } from './set-shape.ts'
import { parseRange, renderRange } from './value-text.ts'
import type { ValueType } from './value-type.ts'

/** Writes the parts of `text`, which ` . ` joins, at `at`; each part of several takes whole registers, the rest of which must be zero already. */
export function writeParts(parts: readonly ValueType[], text: string, buffer: Uint8Array, at: number): void {
  const last = parts.length - 1
  let from = 0
  for (let i = 0; i < last; i++) {
    const part = parts[i]!
    const to = text.indexOf(' . ', from)
    if (to < 0) throw new TypeError(`"${text}" has ${i + 1} parts and needs ${parts.length}`)
    part.write(text, from, to, buffer, at)
    from = to + 3
    at += (part.size + 3) & ~3
  }
  parts[last]!.write(text, from, text.length, buffer, at)
}

/** The inverse of `writeParts`. */
export function readParts(parts: readonly ValueType[], buffer: Uint8Array, at: number): string {
  let text = ''
  for (const [i, part] of parts.entries()) {
    text += (i === 0 ? '' : ' . ') + part.read(buffer, at)
    at += (part.size + 3) & ~3
  }
  return text
}

/** The lowest and the highest key that an element of an interval set covers, part by part. */
export function parseKeyRange(shape: SetShape, text: string): { low: Uint8Array; high: Uint8Array } {
  const low = new Uint8Array(shape.keySize)
  const high = new Uint8Array(shape.keySize)
  const texts = text.split(' . ')
  if (texts.length !== shape.key.length) {
    throw new TypeError(`"${text}" has ${texts.length} parts and needs ${shape.key.length}`)
  }
  let at = 0
  for (const [i, part] of shape.key.entries()) {
    const range = parseRange(part, texts[i] ?? '')
    low.set(range.low, at)
    high.set(range.high, at)
    at += (part.size + 3) & ~3
  }
  return { low, high }
}

/** The inverse of `parseKeyRange`: each part as a value, a prefix or a range. */
export function renderKeyRange(shape: SetShape, low: Uint8Array, high: Uint8Array): string {
  let at = 0
  const texts: string[] = []
  for (const part of shape.key) {
    texts.push(renderRange(part, low.subarray(at, at + part.size), high.subarray(at, at + part.size)))
    at += (part.size + 3) & ~3
  }
  return texts.join(' . ')
}

/** The bytes of a key that is one point. */
export function keyBytes(shape: SetShape, text: string): Uint8Array {
  const bytes = new Uint8Array(shape.keySize)
  writeParts(shape.key, text, bytes, 0)
  return bytes
}
