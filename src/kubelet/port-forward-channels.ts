import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type Dial, forward } from './port-forward.ts'

/** The subprotocol of port-forward with channels, which clients other than kubectl speak. */
export const portChannelProtocol = 'v4.channel.k8s.io'

const maximumPorts = 100

/**
 * Forwards one connection per port: channel 2n carries the data of the n-th port and 2n + 1 its error. Each channel's first message from
 * here is the port, two bytes, little-endian (kubelet's portforward/websocket.go).
 */
export function forwardChannels(socket: WebSocket, ports: readonly number[], dial: Dial): void {
  socket.on('error', () => socket.terminate())
  const pipes = ports.slice(0, maximumPorts).map((port, index) => new Channel(socket, index * 2, port))
  socket.on('message', (message: Buffer) => {
    const pipe = pipes[message[0]! / 2]
    if (pipe === undefined || pipe.deliver(message.subarray(1))) return
    socket.pause()
    pipe.onDrain = () => socket.resume()
  })
  socket.once('close', () => {
    for (const pipe of pipes) pipe.destroy()
  })
  let open = pipes.length
  for (const pipe of pipes) {
    const tell = (message: string | undefined): void => {
      if (message !== undefined) pipe.send(1, Buffer.from(message), () => undefined)
    }
    pipe.once('close', () => {
      open--
      if (open === 0) socket.close(1000)
    })
    void forward(pipe, pipe.port, dial, tell)
  }
  if (pipes.length === 0) socket.close(1000)
}

class Channel extends Duplex {
  readonly port: number
  onDrain: (() => void) | undefined
  readonly #socket: WebSocket
  readonly #number: number

  constructor(socket: WebSocket, number: number, port: number) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#number = number
    this.port = port
    this.on('error', () => undefined)
    const head = Buffer.from([port & 0xff, (port >> 8) & 0xff])
    for (const offset of [0, 1] as const) this.send(offset, head, () => undefined)
  }

  deliver(data: Buffer): boolean {
    return this.destroyed || this.push(data)
  }

  /** Sends on the data channel (0) or the error channel (1) of the port. */
  send(offset: 0 | 1, data: Uint8Array, callback: (error?: Error | null) => void): void {
    const { readyState, OPEN } = this.#socket
    if (readyState !== OPEN) callback(new Error('the connection is closed'))
    else this.#socket.send(Buffer.concat([Buffer.from([this.#number + offset]), data]), callback)
  }

  override _read(): void {
    this.onDrain?.()
    this.onDrain = undefined
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.send(0, chunk, callback)
  }
}
