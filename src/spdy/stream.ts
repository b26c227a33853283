import { Duplex } from 'node:stream'
import type { HeaderFields } from './header-block.ts'

/** What a stream needs from its connection. */
export interface StreamDoor {
  /** Sends a piece of data; the callback comes when the connection has taken it. */
  send(data: Uint8Array, fin: boolean, callback: (error?: Error | null) => void): void
  reset(): void
  /** The reader has caught up. */
  drained(): void
  closed(): void
}

// Frames stay small, so that streams of one connection take turns.
const maximumPiece = 64 * 1024

/** One stream of a SPDY connection: `end` half-closes it, `destroy` resets it. */
export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: HeaderFields
  readonly #door: StreamDoor
  #finReceived = false
  #finSent = false

  constructor(id: number, headers: HeaderFields, door: StreamDoor) {
    super({ allowHalfOpen: true, emitClose: true })
    this.id = id
    this.headers = headers
    this.#door = door
  }

  /** Takes data of a frame; whether more may come before the reader has caught up. */
  deliver(data: Uint8Array, fin: boolean): boolean {
    if (this.#finReceived || this.destroyed) return true
    const wantsMore = data.length === 0 || this.push(data)
    if (fin) {
      this.#finReceived = true
      this.push(null)
    }
    return wantsMore
  }

  /** The peer has reset the stream, or the connection is gone. */
  abort(): void {
    this.#finReceived = true
    this.#finSent = true
    this.destroy()
  }

  override _read(): void {
    this.#door.drained()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const piece = chunk.subarray(0, maximumPiece)
    this.#door.send(piece, false, (error) => {
      if (error || piece.length === chunk.length) callback(error)
      else this._write(chunk.subarray(piece.length), _encoding, callback)
    })
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finSent = true
    this.#door.send(new Uint8Array(), true, callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#finReceived || !this.#finSent) this.#door.reset()
    this.#door.closed()
    callback(error)
  }
}
