import type { Duplex } from 'node:stream'
import { encodeFrame, type Frame, FrameDecoder, SpdyError } from './frame.ts'
import { decodeFields, encodeFields, HeaderDeflater, HeaderInflater } from './header-block.ts'
import { SpdyStream } from './stream.ts'

const protocolError = 1
const refusedStream = 3
const maximumStreams = 1000

/**
 * The server's end of a SPDY/3.1 connection over a stream of bytes, as Kubernetes uses it: streams are opened by the client, no flow
 * control of its own. A stream that nobody reads holds the others up, which bounds what is kept here.
 */
export class SpdyConnection {
  readonly #transport: Duplex
  readonly #onStream: (stream: SpdyStream) => void
  readonly #decoder = new FrameDecoder()
  readonly #inflater = new HeaderInflater()
  readonly #deflater = new HeaderDeflater()
  readonly #streams = new Map<number, SpdyStream>()
  readonly #full = new Set<number>()
  #lastStream = 0

  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport
    this.#onStream = onStream
    transport.on('error', () => transport.destroy())
    transport.once('close', () => this.#end())
    void this.#receive()
  }

  /** Calls back when the connection is gone, with all its streams. */
  onClose(callback: () => void): void {
    if (this.#transport.destroyed) callback()
    else this.#transport.once('close', callback)
  }

  /** Ends the connection at once. */
  close(): void {
    this.#transport.destroy()
  }

  /** Takes frames one after another: header blocks have to be decompressed in their order. */
  async #receive(): Promise<void> {
    const iterator = this.#transport.iterator({ destroyOnReturn: false })
    try {
      for await (const chunk of iterator) {
        for (const frame of this.#decoder.push(chunk as Buffer)) {
          await this.#take(frame)
          await this.#whileFull()
        }
      }
      this.#transport.destroy()
    } catch (error) {
      if (!(error instanceof SpdyError) || this.#transport.destroyed) return void this.#transport.destroy()
      const farewell = encodeFrame({ kind: 'goAway', lastStream: this.#lastStream, status: protocolError })
      this.#transport.end(farewell, () => this.#transport.destroy())
    }
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.kind) {
      case 'synStream': {
        const fields = decodeFields(await this.#inflater.decompress(frame.block))
        return this.#open(frame.stream, frame.fin, fields)
      }
      case 'synReply':
      case 'headers':
        // Nothing that they say is needed, but the state of the compression has to follow.
        await this.#inflater.decompress(frame.block)
        if (frame.fin) this.#streams.get(frame.stream)?.deliver(new Uint8Array(), true)
        return
      case 'data': {
        const stream = this.#streams.get(frame.stream)
        if (stream !== undefined && !stream.deliver(frame.data, frame.fin)) this.#full.add(frame.stream)
        return
      }
      case 'rstStream':
        this.#streams.get(frame.stream)?.abort()
        return
      case 'ping':
        // Those of the client have odd numbers (section 2.6.5).
        if (frame.id % 2 === 1) this.#send(frame)
        return
      case 'goAway':
      case 'other':
        return
      default:
        frame satisfies never
    }
  }

  #open(id: number, fin: boolean, fields: ReadonlyMap<string, string>): void {
    if (id % 2 === 0 || id <= this.#lastStream) throw new SpdyError(`stream ${id} cannot be opened`)
    this.#lastStream = id
    if (this.#streams.size >= maximumStreams) {
      this.#send({ kind: 'rstStream', stream: id, status: refusedStream })
      return
    }
    const stream = new SpdyStream(id, fields, {
      send: (data, isFin, callback) => this.#send({ kind: 'data', stream: id, fin: isFin, data }, callback),
      // CANCEL (section 2.6.3).
      reset: () => this.#send({ kind: 'rstStream', stream: id, status: 5 }),
      drained: () => {
        if (this.#full.delete(id)) this.#wake?.()
      },
      closed: () => {
        this.#streams.delete(id)
        if (this.#full.delete(id)) this.#wake?.()
      },
    })
    // A stream that ends badly has told its peer so; nobody else needs to know.
    stream.on('error', () => undefined)
    this.#streams.set(id, stream)
    this.#send({ kind: 'synReply', stream: id, fin: false, block: this.#deflater.compress(encodeFields(new Map())) })
    this.#onStream(stream)
    if (fin) stream.deliver(new Uint8Array(), true)
  }

  #wake: (() => void) | undefined

  async #whileFull(): Promise<void> {
    while (this.#full.size > 0 && !this.#transport.destroyed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #send(frame: Frame, callback: (error?: Error | null) => void = () => undefined): void {
    if (this.#transport.destroyed || this.#transport.writableEnded) callback(new Error('the connection is closed'))
    else this.#transport.write(encodeFrame(frame), callback)
  }

  #end(): void {
    this.#inflater.close()
    this.#full.clear()
    this.#wake?.()
    for (const stream of [...this.#streams.values()]) stream.abort()
  }
}
