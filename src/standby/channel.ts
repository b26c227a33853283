import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { type Address, findAddress } from '../addr/index.ts'
import { decodeMessage, encodeMessage, type Message } from './message.ts'

const magic = Buffer.from('plms1')
const nonceBytes = 16
const tagBytes = 16
/** A frame's most, its tag included; a peer that announces more is cut off. */
const maximumFrame = 64 << 10
/** How long a peer has until its first message that is signed, in milliseconds. */
const greetingMs = 3000
/** What waits to be sent to a peer that does not read; beyond, it is cut off and begins anew when it is back. */
const maximumBacklog = 32 << 20

export interface ChannelEvents {
  /** The peer has shown that it has the key. */
  onMessage(message: Message): void
  /** Once; the socket is closed. */
  onClose(why: string): void
}

/**
 * Messages over one TCP connection between nodes that share a key: each side sends a mark and a random number; then frames of a length (32 bits), 16
 * bytes of HMAC-SHA-256 and a message. What is signed begins with the sender's side and the frame's number, by a key that both random numbers
 * go into: a frame of another connection, of the other side, twice or left out ends the connection.
 */
export class Channel {
  readonly #socket: Socket
  readonly #side: 'client' | 'server'
  readonly #key: Uint8Array
  readonly #events: ChannelEvents
  readonly #nonce = randomBytes(nonceBytes)
  readonly #timer: NodeJS.Timeout
  #session: Buffer | undefined
  #received: Buffer = Buffer.alloc(0)
  #sentFrames = 0
  #receivedFrames = 0
  #waiting: Message[] = []
  #closed = false
  /** Where the other side is. */
  readonly peer: Address | undefined
  /** Of messages that were sent. */
  sentBytes = 0

  constructor(socket: Socket, side: 'client' | 'server', key: Uint8Array, events: ChannelEvents) {
    this.#socket = socket
    this.#side = side
    this.#key = key
    this.#events = events
    this.peer = findAddress(socket.remoteAddress ?? '')
    this.#timer = setTimeout(() => this.close('it says nothing'), greetingMs)
    socket.setNoDelay(true)
    socket.on('error', (error) => this.close(error.message))
    socket.on('close', () => this.close('it was closed'))
    socket.on('data', (data: Buffer) => this.#receive(data))
    socket.write(Buffer.concat([magic, this.#nonce]))
  }

  send(message: Message): void {
    if (this.#closed) return
    if (this.#session === undefined) {
      this.#waiting.push(message)
      return
    }
    const body = encodeMessage(message)
    const frame = Buffer.alloc(4)
    frame.writeUInt32BE(tagBytes + body.length)
    this.#socket.write(Buffer.concat([frame, this.#tag(this.#side, this.#sentFrames++, body), body]))
    this.sentBytes += 4 + tagBytes + body.length
    if (this.#socket.writableLength > maximumBacklog) this.close('it does not read')
  }

  close(why: string): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#events.onClose(why)
  }

  #receive(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data])
    if (this.#session === undefined && !this.#greet()) return
    while (!this.#closed && this.#received.length >= 4) {
      const length = this.#received.readUInt32BE(0)
      if (length <= tagBytes || length > maximumFrame) this.close('its frames have no length')
      if (this.#closed || this.#received.length < 4 + length) return
      const frame = this.#received.subarray(4, 4 + length)
      this.#received = this.#received.subarray(4 + length)
      this.#take(frame)
    }
  }

  #greet(): boolean {
    const length = magic.length + nonceBytes
    if (this.#received.length < length) return false
    const theirs = this.#received.subarray(magic.length, length)
    if (!this.#received.subarray(0, magic.length).equals(magic)) {
      this.close('it speaks something else')
      return false
    }
    const nonces = this.#side === 'client' ? [this.#nonce, theirs] : [theirs, this.#nonce]
    this.#session = createHmac('sha256', this.#key).update('plumb standby').update(Buffer.concat(nonces)).digest()
    this.#received = this.#received.subarray(length)
    for (const message of this.#waiting.splice(0)) this.send(message)
    return true
  }

  #take(frame: Buffer): void {
    const body = frame.subarray(tagBytes)
    const other = this.#side === 'client' ? 'server' : 'client'
    const isSigned = timingSafeEqual(frame.subarray(0, tagBytes), this.#tag(other, this.#receivedFrames++, body))
    const message = isSigned ? decodeMessage(body) : undefined
    if (message === undefined) {
      this.close(isSigned ? 'it sends what is no message' : 'its key is another')
      return
    }
    clearTimeout(this.#timer)
    this.#events.onMessage(message)
  }

  #tag(side: 'client' | 'server', number: number, body: Uint8Array): Buffer {
    const head = Buffer.from(`${side} ${number} `)
    return createHmac('sha256', this.#session ?? '')
      .update(head)
      .update(body)
      .digest()
      .subarray(0, tagBytes)
  }
}
