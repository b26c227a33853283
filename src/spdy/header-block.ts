import { createInflate, type Inflate } from 'node:zlib'
import { headerDictionary } from './dictionary.ts'
import { SpdyError } from './frame.ts'

/** Header fields in the order in which they were sent; names are lower case (SPDY/3 section 2.6.10). */
export type HeaderFields = ReadonlyMap<string, string>

const maximumFields = 100
/** The largest header block after decompression, in bytes. */
export const maximumBlock = 64 * 1024

/** A name/value block, not compressed. */
export function encodeFields(fields: HeaderFields): Buffer {
  const parts = [...fields].flatMap(([name, value]) => [text(name.toLowerCase()), text(value)])
  return Buffer.concat([count(fields.size), ...parts])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([count(bytes.length), bytes])
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** The inverse of `encodeFields`; throws `SpdyError` for bytes that are none. */
export function decodeFields(block: Uint8Array): HeaderFields {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  let at = 0
  const number = (): number => {
    if (at + 4 > bytes.length) throw new SpdyError('a header block is too short')
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const string = (): string => {
    const length = number()
    if (length > bytes.length - at) throw new SpdyError('a header block is too short')
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const fields = new Map<string, string>()
  const total = number()
  if (total > maximumFields) throw new SpdyError(`a header block has ${total} fields; ${maximumFields} are taken`)
  for (let i = 0; i < total; i++) {
    const name = string().toLowerCase()
    fields.set(name, string())
  }
  return fields
}

/** Compresses header blocks of one direction of a connection, as stored blocks: answers have a field or none. */
export class HeaderDeflater {
  #first = true

  compress(block: Uint8Array): Buffer {
    // RFC 1950: deflate, 32 KiB window, no dictionary, check bits. RFC 1951: a stored block that is not the last.
    const parts: Uint8Array[] = this.#first ? [Buffer.from([0x78, 0x01])] : []
    this.#first = false
    // The last one is empty: decompressors give out what they have when they see it, as after a flush of zlib's.
    for (let at = 0, last = false; !last; at += 0xffff) {
      const piece = block.subarray(at, at + 0xffff)
      last = piece.length === 0
      const head = Buffer.alloc(5)
      head.writeUInt16LE(piece.length, 1)
      head.writeUInt16LE(~piece.length & 0xffff, 3)
      parts.push(head, piece)
    }
    return Buffer.concat(parts)
  }
}

/** Decompresses the header blocks of one direction of a connection, which must come in their order. */
export class HeaderInflater {
  readonly #inflate: Inflate = createInflate({ dictionary: headerDictionary })
  #failure: Error | undefined
  #reject: ((error: Error) => void) | undefined
  #pieces: Buffer[] = []
  #size = 0

  constructor() {
    this.#inflate.on('readable', () => this.#collect())
    this.#inflate.on('error', (error) => this.#fail(new SpdyError(`a header block: ${error.message}`)))
  }

  /** Rejects with `SpdyError` when the block is broken or too large; then the connection is lost. */
  decompress(block: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#reject = reject
      this.#inflate.write(block, (error) => {
        if (error) return
        this.#collect()
        this.#size = 0
        if (this.#failure === undefined) resolve(Buffer.concat(this.#pieces.splice(0)))
      })
    })
  }

  close(): void {
    this.#inflate.destroy()
  }

  #collect(): void {
    for (let piece = this.#inflate.read(); piece !== null; piece = this.#inflate.read()) {
      this.#size += (piece as Buffer).length
      this.#pieces.push(piece as Buffer)
    }
    if (this.#size > maximumBlock) {
      this.#fail(new SpdyError(`a header block is larger than ${maximumBlock}`))
    }
  }

  #fail(failure: SpdyError): void {
    this.#failure ??= failure
    this.#reject?.(this.#failure)
    this.#inflate.destroy()
  }
}
