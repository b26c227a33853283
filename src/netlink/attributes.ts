/** An attribute's type without the flags for nesting and byte order (include/uapi/linux/netlink.h). */
const NLA_TYPE_MASK = 0x3fff

/**
 * Calls `visit` for each attribute between `from` and `to` with its type (flags removed) and the bounds of its payload.
 * Stops at the first attribute whose length is impossible, so that no read leaves the bounds.
 */
export function forEachAttribute(
  buffer: Buffer,
  from: number,
  to: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = from
  while (at + 4 <= to) {
    const size = buffer[at]! | (buffer[at + 1]! << 8)
    if (size < 4 || at + size > to) return
    visit((buffer[at + 2]! | (buffer[at + 3]! << 8)) & NLA_TYPE_MASK, at + 4, at + size)
    at += (size + 3) & ~3
  }
}

/** Offset of the payload of the first attribute of a type, or 0 when there is none: for hot paths, where a map per nest costs. */
export function findAttribute(buffer: Buffer, from: number, to: number, wanted: number): number {
  for (let at = from; at + 4 <= to; ) {
    const size = buffer[at]! | (buffer[at + 1]! << 8)
    if (size < 4 || at + size > to) return 0
    if (((buffer[at + 2]! | (buffer[at + 3]! << 8)) & NLA_TYPE_MASK) === wanted) return at + 4
    at += (size + 3) & ~3
  }
  return 0
}

/** Offset after the payload that starts at `start`. */
export function attributeEnd(buffer: Buffer, start: number): number {
  return start - 4 + (buffer[start - 4]! | (buffer[start - 3]! << 8))
}

/** The attributes between two offsets of a buffer, by type; the last of equals wins. Reads of absent or too short ones are undefined. */
export class Attributes {
  readonly #buffer: Buffer
  readonly #bounds = new Map<number, { start: number; end: number }>()

  constructor(buffer: Buffer, from: number, to: number) {
    this.#buffer = buffer
    forEachAttribute(buffer, from, to, (type, start, end) => this.#bounds.set(type, { start, end }))
  }

  has(type: number): boolean {
    return this.#bounds.has(type)
  }

  types(): number[] {
    return [...this.#bounds.keys()]
  }

  /** Where the payload begins and ends in the buffer. */
  bounds(type: number): { readonly start: number; readonly end: number } | undefined {
    return this.#bounds.get(type)
  }

  /** The payload, not copied. */
  bytes(type: number): Buffer | undefined {
    const bounds = this.#bounds.get(type)
    return bounds === undefined ? undefined : this.#buffer.subarray(bounds.start, bounds.end)
  }

  u8(type: number): number | undefined {
    return this.#at(type, 1, (b, at) => b[at]!)
  }

  u16(type: number): number | undefined {
    return this.#at(type, 2, (b, at) => b.readUInt16LE(at))
  }

  u16be(type: number): number | undefined {
    return this.#at(type, 2, (b, at) => b.readUInt16BE(at))
  }

  u32(type: number): number | undefined {
    return this.#at(type, 4, (b, at) => b.readUInt32LE(at))
  }

  u32be(type: number): number | undefined {
    return this.#at(type, 4, (b, at) => b.readUInt32BE(at))
  }

  u64(type: number): bigint | undefined {
    return this.#at(type, 8, (b, at) => b.readBigUInt64LE(at))
  }

  u64be(type: number): bigint | undefined {
    return this.#at(type, 8, (b, at) => b.readBigUInt64BE(at))
  }

  /** UTF-8 text up to the first NUL. */
  string(type: number): string | undefined {
    const bounds = this.#bounds.get(type)
    if (bounds === undefined) return undefined
    const zero = this.#buffer.indexOf(0, bounds.start)
    const end = zero < 0 || zero > bounds.end ? bounds.end : zero
    return this.#buffer.toString('utf8', bounds.start, end)
  }

  nested(type: number): Attributes | undefined {
    const bounds = this.#bounds.get(type)
    return bounds === undefined ? undefined : new Attributes(this.#buffer, bounds.start, bounds.end)
  }

  /** The attributes inside a nested list, in order: each item's type and bounds, e.g. the elements of NFTA_SET_ELEM_LIST_ELEMENTS. */
  list(type: number): { type: number; start: number; end: number }[] {
    const items: { type: number; start: number; end: number }[] = []
    const bounds = this.#bounds.get(type)
    if (bounds !== undefined) {
      forEachAttribute(this.#buffer, bounds.start, bounds.end, (inner, start, end) =>
        items.push({ type: inner, start, end }),
      )
    }
    return items
  }

  #at<T>(type: number, size: number, read: (buffer: Buffer, at: number) => T): T | undefined {
    const bounds = this.#bounds.get(type)
    return bounds === undefined || bounds.end - bounds.start < size ? undefined : read(this.#buffer, bounds.start)
  }
}

/** The attributes between two offsets, by type. */
export function readAttributes(buffer: Buffer, from = 0, to = buffer.length): Attributes {
  return new Attributes(buffer, from, to)
}
