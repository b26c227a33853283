import { PassThrough, Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Status } from '../objects/index.ts'
import { flush, parseSizes, type RemoteStreams, type StreamRequest } from './remote-streams.ts'

// Channels of the remote command protocol (KEP-4006). `close` is v5's only.
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** The WebSocket subprotocols of exec and attach, best first. */
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

/** The streams of a remote command as channels of a WebSocket: each message begins with the channel's number. */
export function channelStreams(socket: WebSocket, request: StreamRequest): RemoteStreams {
  const stdin = request.stdin ? new PassThrough() : undefined
  const stdout = request.stdout ? output(socket, channel.stdout) : undefined
  const stderr = request.stderr && !request.tty ? output(socket, channel.stderr) : undefined
  let onResize: ((columns: number, rows: number) => void) | undefined
  socket.on('error', () => socket.terminate())
  socket.on('message', (message: Buffer) => {
    const data = message.subarray(1)
    if (message[0] === channel.stdin) {
      if (stdin === undefined || stdin.writableEnded || stdin.write(data)) return
      socket.pause()
      stdin.once('drain', () => socket.resume())
    } else if (message[0] === channel.resize) {
      for (const { columns, rows } of parseSizes(data.toString()).sizes) onResize?.(columns, rows)
    } else if (message[0] === channel.close && data[0] === channel.stdin) {
      stdin?.end()
    }
  })
  socket.once('close', () => stdin?.end())
  // Tells the client that the streams are open.
  send(socket, channel.stdout, new Uint8Array(), () => undefined)
  return {
    stdin,
    stdout,
    stderr,
    onResize: (callback) => {
      onResize = callback
    },
    onClose: (callback) => void socket.once('close', callback),
    finish: async (status: Status) => {
      await flush(stdout, stderr)
      send(socket, channel.error, Buffer.from(JSON.stringify(status)), () => socket.close(1000))
    },
  }
}

function output(socket: WebSocket, number: number): Writable {
  const stream = new Writable({ write: (chunk: Buffer, _encoding, callback) => send(socket, number, chunk, callback) })
  stream.on('error', () => undefined)
  socket.once('close', () => stream.destroy())
  return stream
}

function send(socket: WebSocket, number: number, data: Uint8Array, callback: (error?: Error | null) => void): void {
  if (socket.readyState !== socket.OPEN) callback(new Error('the connection is closed'))
  else socket.send(Buffer.concat([Buffer.from([number]), data]), callback)
}
