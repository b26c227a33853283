/** A value of DER (X.690, 8.1): identifier octet, content, and all of it as it stands. */
export interface DerValue {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** The value that bytes begin with. Throws when it is none, or not whole. */
export function readDer(bytes: Buffer): DerValue {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new Error('it is no DER')
  const digits = first < 0x80 ? 0 : first - 0x80
  if (digits > 4 || first === 0x80 || bytes.length < 2 + digits) throw new Error('it is no DER')
  const length = digits === 0 ? first : bytes.readUIntBE(2, digits)
  const end = 2 + digits + length
  if (end > bytes.length) throw new Error('it is not whole')
  return { tag, content: bytes.subarray(2 + digits, end), whole: bytes.subarray(0, end) }
}

/** The values one after another in the content of another. Throws as `readDer` does. */
export function readDerList(content: Buffer): DerValue[] {
  const values: DerValue[] = []
  for (let rest = content; rest.length > 0; rest = rest.subarray(values.at(-1)!.whole.length))
    values.push(readDer(rest))
  return values
}

/** The text of an OBJECT IDENTIFIER (X.690, 8.19). */
export function renderOid(content: Buffer): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    numbers.push(
      ...(numbers.length > 0
        ? [value]
        : [Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40))]),
    )
    value = 0
  }
  return numbers.join('.')
}
