import type { ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import type { Sink } from './watch.ts'

const drainedBytes = 64 * 1024

/** Who waits until a client has taken nearly everything. */
class Drained {
  readonly #bufferedBytes: () => number
  readonly #waiting: (() => void)[] = []

  constructor(bufferedBytes: () => number) {
    this.#bufferedBytes = bufferedBytes
  }

  /** To be called after each write that has reached the client. */
  readonly look = (): void => {
    if (this.#bufferedBytes() > drainedBytes) return
    for (const callback of this.#waiting.splice(0)) callback()
  }

  readonly wait = (callback: () => void): void => {
    this.#waiting.push(callback)
  }
}

/** A chunked HTTP answer, one JSON document per line. */
export function responseSink(response: ServerResponse): Sink {
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
    'transfer-encoding': 'chunked',
  })
  response.flushHeaders()
  response.socket?.setNoDelay(true)
  const drained = new Drained(() => response.writableLength)
  return {
    send: (lines) => {
      if (!response.writableEnded) response.write(lines.length === 1 ? lines[0] : Buffer.concat(lines), drained.look)
    },
    get bufferedBytes() {
      return response.writableLength
    },
    onDrain: drained.wait,
    end: () => response.end(),
    destroy: () => response.destroy(),
    onClose: (callback) => response.on('close', callback),
  }
}

/** A WebSocket, one text frame per event. */
export function webSocketSink(socket: WebSocket): Sink {
  const drained = new Drained(() => socket.bufferedAmount)
  return {
    send: (lines) => {
      for (const line of lines) socket.send(line.subarray(0, -1), { binary: false }, drained.look)
    },
    onDrain: drained.wait,
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
    onClose: (callback) => socket.on('close', callback),
  }
}
