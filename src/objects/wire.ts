/** Why bytes are no protobuf object, or a value is none that protobuf can carry. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
  /** `unknown-kind`: sound so far, but no field numbers are known for what it names. */
  readonly reason: 'malformed' | 'unknown-kind'

  constructor(message: string, reason: 'malformed' | 'unknown-kind' = 'malformed') {
    super(message)
    this.reason = reason
  }
}

/** A place in encoded bytes. `budget` counts down with every field read, so that a small body cannot become a huge value. */
export interface Cursor {
  readonly bytes: Buffer
  at: number
  budget: number
}

/** The wire types of protobuf that Kubernetes uses. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

function early(): ProtobufError {
  return new ProtobufError('unexpected EOF')
}

/** A varint as a signed 64-bit integer; beyond 2^53 the nearest number, as JSON's parser. */
export function readInt64(cursor: Cursor): number {
  const { bytes } = cursor
  let low = 0
  let high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) throw early()
    const bits = byte & 127
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high = bits >>> 4
    } else high |= bits << (shift - 32)
    if (byte < 128) return high * 4294967296 + (low >>> 0)
  }
  throw new ProtobufError('integer overflow')
}

/** A length-delimited value's end; the cursor stands at its start afterwards. */
export function readEnd(cursor: Cursor, limit: number): number {
  const length = readInt64(cursor)
  if (length < 0) throw new ProtobufError('invalid length')
  if (length > limit - cursor.at) throw early()
  return cursor.at + length
}

/** An IEEE 754 double. */
export function readDouble(cursor: Cursor, limit: number): number {
  if (limit - cursor.at < 8) throw early()
  const value = cursor.bytes.readDoubleLE(cursor.at)
  cursor.at += 8
  return value
}

/** A field's tag: its number times 8 plus its wire type. */
export function readTag(cursor: Cursor): number {
  if (--cursor.budget < 0) throw new ProtobufError('too many fields')
  const tag = readInt64(cursor)
  if (tag < 8 || tag >= 2 ** 32) throw new ProtobufError(`illegal tag ${tag}`)
  return tag
}

/** Passes over a field that is not known. */
export function skipField(cursor: Cursor, tag: number, limit: number): void {
  switch (tag % 8) {
    case wire.varint:
      readInt64(cursor)
      return
    case wire.fixed64:
    case wire.fixed32: {
      const size = tag % 8 === wire.fixed64 ? 8 : 4
      if (limit - cursor.at < size) throw early()
      cursor.at += size
      return
    }
    case wire.bytes:
      cursor.at = readEnd(cursor, limit)
      return
    default:
      throw new ProtobufError(`illegal wireType ${tag % 8}`)
  }
}

/** Bytes written from the end to the front, so that a message's length is known when its head is written. */
export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(1024)
  #start = 1024

  /** How many bytes are written. */
  get length(): number {
    return this.#buffer.length - this.#start
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#start)
  }

  #claim(size: number): number {
    if (size > this.#start) {
      const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + size))
      const start = grown.length - this.length
      this.#buffer.copy(grown, start, this.#start)
      this.#buffer = grown
      this.#start = start
    }
    this.#start -= size
    return this.#start
  }

  bytes(value: Buffer): void {
    // Before the buffer is named: claiming may replace it.
    const at = this.#claim(value.length)
    value.copy(this.#buffer, at)
  }

  text(value: string): void {
    const size = Buffer.byteLength(value)
    const at = this.#claim(size)
    this.#buffer.write(value, at, size)
  }

  double(value: number): void {
    const at = this.#claim(8)
    this.#buffer.writeDoubleLE(value, at)
  }

  /** A signed 64-bit integer. */
  int64(value: number): void {
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
      this.#big(BigInt.asUintN(64, BigInt(value)))
      return
    }
    let size = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
    const last = this.#claim(size) + size - 1
    let rest = value
    for (let at = last - size + 1; at < last; at++) {
      this.#buffer[at] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.#buffer[last] = rest
  }

  #big(value: bigint): void {
    const groups: number[] = []
    for (let rest = value; ; rest >>= 7n) {
      const last = rest < 128n
      groups.push(Number(rest & 127n) | (last ? 0 : 128))
      if (last) break
    }
    this.bytes(Buffer.from(groups))
  }

  tag(number: number, type: number): void {
    this.int64(number * 8 + type)
  }
}
