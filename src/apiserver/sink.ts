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
    send: (lines) => {
      if (!response.writableEnded) response.write(lines.length === 1 ? lines[0] : Buffer.concat(lines))
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
    send: (lines) => {
      for (const line of lines) socket.send(line.subarray(0, -1), { binary: false })
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
    onClose: (callback) => socket.on('close', callback),
  }
}
