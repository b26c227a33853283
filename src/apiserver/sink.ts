import type { ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import type { Sink } from './watch.ts'

/** A chunked HTTP answer, one JSON document per line. */
export function responseSink(response: ServerResponse): Sink {
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
    'transfer-encoding': 'chunked',
  })
  response.flushHeaders()
  response.socket?.setNoDelay(true)
  return {
    send: (lines, taken) => {
      if (response.writableEnded) return
      const { socket } = response
      // An answer that waits for the one before it on its connection has no socket yet.
      if (socket === null) return void response.write(Buffer.concat(lines.map(({ text }) => text)), taken)
      // The same chunk for all watchers: `response.write` would put each one's together again, out of four pieces.
      socket.write(lines.length === 1 ? lines[0]!.chunk : Buffer.concat(lines.map(({ chunk }) => chunk)), taken)
    },
    get bufferedBytes() {
      return response.writableLength
    },
    end: () => response.end(),
    destroy: () => response.destroy(),
    onClose: (callback) => response.on('close', callback),
  }
}

/** A WebSocket, one text frame per event. */
export function webSocketSink(socket: WebSocket): Sink {
  return {
    send: (lines, taken) => {
      for (const [i, { text }] of lines.entries())
        socket.send(text.subarray(0, -1), { binary: false }, i === lines.length - 1 ? taken : undefined)
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
    onClose: (callback) => socket.on('close', callback),
  }
}
