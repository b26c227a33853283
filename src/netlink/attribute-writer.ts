import assert from 'node:assert/strict'

/** The kernel marks attributes that hold attributes (include/uapi/linux/netlink.h). */
export const NLA_F_NESTED = 0x8000
/** The longest payload of one attribute in bytes; its length field has 16 bits and counts the 4-byte header. */
const NLA_PAYLOAD_MAX = 0xffff - 4

/**
 * Writes netlink messages and attributes one after another into one growing buffer. Integers are little-endian
 * where the kernel means host order (`u16`, `u32`, `u64`: x64 and arm64 are) and big-endian where it means network order (`…be`).
 */
export class AttributeWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 512) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(64, capacity))
  }

  /** Bytes written so far; also the offset at which the next thing starts. */
  get length(): number {
    return this.#length
  }

  /** The bytes written so far, not copied: valid until the next write. */
  result(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Forgets everything from `offset` on, e.g. an element that overflowed its list. */
  truncate(offset: number): void {
    assert(offset <= this.#length)
    this.#length = offset
  }

  /** Starts a message (nlmsghdr); gives the offset for `endMessage`. */
  beginMessage(type: number, flags: number, sequence: number, portId = 0): number {
    const start = this.#grow(16)
    const b = this.#buffer
    b.writeUInt32LE(16, start)
    b.writeUInt16LE(type, start + 4)
    b.writeUInt16LE(flags, start + 6)
    b.writeUInt32LE(sequence, start + 8)
    b.writeUInt32LE(portId, start + 12)
    return start
  }

  /** Ends the message that began at `start`: sets its length. */
  endMessage(start: number): void {
    this.#buffer.writeUInt32LE(this.#length - start, start)
  }

  /** Starts an attribute that holds attributes; gives the offset for `end`. */
  nest(type: number): number {
    const start = this.#grow(4)
    this.#header(start, 4, type | NLA_F_NESTED)
    return start
  }

  /** Ends the attribute that `nest` began at `start`. It must not exceed 64 KiB: check `length - start` while filling it. */
  end(start: number): void {
    const size = this.#length - start
    assert(size <= 0xffff, `a netlink attribute of ${size} bytes exceeds 64 KiB`)
    this.#buffer[start] = size & 0xff
    this.#buffer[start + 1] = size >> 8
  }

  /** An attribute with no payload: a flag. */
  flag(type: number): void {
    this.#header(this.#grow(4), 4, type)
  }

  bytes(type: number, payload: Uint8Array): void {
    const size = payload.length
    const start = this.#payload(type, size)
    const b = this.#buffer
    // A loop beats a call into native code for the short payloads that netlink is made of.
    if (size <= 64) for (let i = 0; i < size; i++) b[start + i] = payload[i]!
    else b.set(payload, start)
  }

  u8(type: number, value: number): void {
    // The payload first: it may replace the buffer.
    const at = this.#payload(type, 1)
    this.#buffer[at] = value
  }

  /** 16 bits, host order. */
  u16(type: number, value: number): void {
    const at = this.#payload(type, 2)
    this.#buffer[at] = value
    this.#buffer[at + 1] = value >> 8
  }

  /** 16 bits, network order. */
  u16be(type: number, value: number): void {
    const at = this.#payload(type, 2)
    this.#buffer[at] = value >> 8
    this.#buffer[at + 1] = value
  }

  /** 32 bits, host order. */
  u32(type: number, value: number): void {
    const at = this.#payload(type, 4)
    const b = this.#buffer
    b[at] = value
    b[at + 1] = value >> 8
    b[at + 2] = value >> 16
    b[at + 3] = value >> 24
  }

  /** 32 bits, network order; negative values in two's complement. */
  u32be(type: number, value: number): void {
    const at = this.#payload(type, 4)
    const b = this.#buffer
    b[at] = value >> 24
    b[at + 1] = value >> 16
    b[at + 2] = value >> 8
    b[at + 3] = value
  }

  /** 64 bits, host order. */
  u64(type: number, value: bigint): void {
    const at = this.#payload(type, 8)
    this.#buffer.writeBigUInt64LE(value, at)
  }

  /** 64 bits, network order. */
  u64be(type: number, value: bigint): void {
    const at = this.#payload(type, 8)
    this.#buffer.writeBigUInt64BE(value, at)
  }

  /** UTF-8 text; NUL-terminated unless told otherwise, as most of the kernel's string policies want. */
  string(type: number, text: string, zeroTerminated = true): void {
    const start = this.#length
    // Three bytes bound what one UTF-16 unit can take in UTF-8.
    this.#grow(4 + 3 * text.length + 4)
    let at = start + 4
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) {
        at = start + 4 + this.#buffer.write(text, start + 4, 'utf8')
        break
      }
      this.#buffer[at++] = code
    }
    if (zeroTerminated) this.#buffer[at++] = 0
    this.#length = at
    this.#header(start, at - start, type)
    this.#pad()
  }

  /** Bytes outside any attribute, padded to 4: the fixed header that follows nlmsghdr in most families. */
  raw(bytes: Uint8Array): void {
    const at = this.#length
    this.#grow(bytes.length)
    this.#buffer.set(bytes, at)
    this.#length = at + bytes.length
    this.#pad()
  }

  /** Room for a fixed header of `size` bytes, zeroed and padded to 4; fill it through `view`, at the offset given back. */
  reserve(size: number): number {
    const at = this.#grow((size + 3) & ~3)
    this.#buffer.fill(0, at, this.#length)
    return at
  }

  /** The underlying buffer, for filling what `reserve` gave. Any later write may replace it. */
  get view(): Buffer {
    return this.#buffer
  }

  /** Writes an attribute header with room for `size` bytes, zeroes the padding and gives the payload's offset. */
  #payload(type: number, size: number): number {
    assert(size <= NLA_PAYLOAD_MAX, `a netlink attribute of ${size} bytes exceeds 64 KiB`)
    const start = this.#grow(4 + ((size + 3) & ~3))
    this.#header(start, 4 + size, type)
    for (let i = start + 4 + size; i < this.#length; i++) this.#buffer[i] = 0
    return start + 4
  }

  #header(start: number, size: number, type: number): void {
    const b = this.#buffer
    b[start] = size & 0xff
    b[start + 1] = size >> 8
    b[start + 2] = type & 0xff
    b[start + 3] = type >> 8
  }

  #pad(): void {
    const padding = -this.#length & 3
    const at = this.#grow(padding)
    for (let i = at; i < this.#length; i++) this.#buffer[i] = 0
  }

  #grow(size: number): number {
    const start = this.#length
    const end = start + size
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, start)
      this.#buffer = larger
    }
    this.#length = end
    return start
  }
}
