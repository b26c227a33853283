/** A frame of SPDY/3.1; header blocks are still compressed, because their order decides what they mean. */
export type Frame =
  | { readonly kind: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Uint8Array }
  | { readonly kind: 'synStream'; readonly stream: number; readonly fin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'synReply'; readonly stream: number; readonly fin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'headers'; readonly stream: number; readonly fin: boolean; readonly block: Uint8Array }
  | { readonly kind: 'rstStream'; readonly stream: number; readonly status: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goAway'; readonly lastStream: number; readonly status: number }
  /** A frame whose meaning nobody here needs, such as SETTINGS and WINDOW_UPDATE. */
  | { readonly kind: 'other'; readonly type: number; readonly flags: number; readonly payload: Uint8Array }

/** The peer broke the protocol; the connection cannot go on. */
export class SpdyError extends Error {}

const version = 3
const fin = 0x01
const headSize = 8
const types = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7, headers: 8 } as const

/** The largest frame that is taken, in bytes; clients send pieces of 32 KiB. */
export const maximumFrame = 4 << 20

/** A frame's bytes (SPDY/3.1 section 2.2). */
export function encodeFrame(frame: Frame): Buffer {
  switch (frame.kind) {
    case 'data': {
      const head = Buffer.alloc(headSize)
      head.writeUInt32BE(frame.stream & 0x7fffffff, 0)
      head.writeUInt32BE(frame.data.length, 4)
      head[4] = frame.fin ? fin : 0
      return Buffer.concat([head, frame.data])
    }
    case 'synStream':
      // Associated stream, priority and credential slot are zero.
      return control(types.synStream, frame.fin ? fin : 0, [word(frame.stream), Buffer.alloc(6), frame.block])
    case 'synReply':
      return control(types.synReply, frame.fin ? fin : 0, [word(frame.stream), frame.block])
    case 'headers':
      return control(types.headers, frame.fin ? fin : 0, [word(frame.stream), frame.block])
    case 'rstStream':
      return control(types.rstStream, 0, [word(frame.stream), word(frame.status)])
    case 'ping':
      return control(types.ping, 0, [word(frame.id)])
    case 'goAway':
      return control(types.goAway, 0, [word(frame.lastStream), word(frame.status)])
    case 'other':
      return control(frame.type, frame.flags, [frame.payload])
    default:
      return frame satisfies never
  }
}

function control(type: number, flags: number, parts: readonly Uint8Array[]): Buffer {
  const payload = Buffer.concat(parts)
  const head = Buffer.alloc(headSize)
  head.writeUInt16BE(0x8000 | version, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt32BE(payload.length, 4)
  head[4] = flags
  return Buffer.concat([head, payload])
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  #chunks: Buffer[] = []
  #size = 0

  /** The frames that are complete with these bytes; throws `SpdyError` when they cannot be SPDY/3.1. */
  push(chunk: Uint8Array): Frame[] {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#size += chunk.length
    const frames: Frame[] = []
    while (this.#size >= headSize) {
      const head = this.#peek(headSize)
      const length = head.readUIntBE(5, 3)
      if (length > maximumFrame) throw new SpdyError(`a frame of ${length} bytes is larger than ${maximumFrame}`)
      if (this.#size < headSize + length) break
      const bytes = this.#peek(headSize + length)
      this.#chunks[0] = this.#chunks[0]!.subarray(headSize + length)
      this.#size -= headSize + length
      frames.push(decodeFrame(bytes))
    }
    return frames
  }

  /** The first `size` bytes in one piece; they must be there. */
  #peek(size: number): Buffer {
    if (this.#chunks[0]!.length < size) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!.subarray(0, size)
  }
}

function decodeFrame(bytes: Buffer): Frame {
  const flags = bytes[4]!
  const payload = bytes.subarray(headSize)
  const isFin = (flags & fin) !== 0
  if ((bytes[0]! & 0x80) === 0) {
    return { kind: 'data', stream: bytes.readUInt32BE(0), fin: isFin, data: payload }
  }
  if ((bytes.readUInt16BE(0) & 0x7fff) !== version) throw new SpdyError('a control frame is not of SPDY version 3')
  const type = bytes.readUInt16BE(2)
  const need = (size: number): void => {
    if (payload.length < size) throw new SpdyError(`a control frame of type ${type} is too short`)
  }
  const number = (at: number): number => payload.readUInt32BE(at) & 0x7fffffff
  switch (type) {
    case types.synStream:
      need(10)
      return { kind: 'synStream', stream: number(0), fin: isFin, block: payload.subarray(10) }
    case types.synReply:
    case types.headers:
      need(4)
      return {
        kind: type === types.headers ? 'headers' : 'synReply',
        stream: number(0),
        fin: isFin,
        block: payload.subarray(4),
      }
    case types.rstStream:
      need(8)
      return { kind: 'rstStream', stream: number(0), status: payload.readUInt32BE(4) }
    case types.ping:
      need(4)
      return { kind: 'ping', id: payload.readUInt32BE(0) }
    case types.goAway:
      need(8)
      return { kind: 'goAway', lastStream: number(0), status: payload.readUInt32BE(4) }
    default:
      return { kind: 'other', type, flags, payload }
  }
}
