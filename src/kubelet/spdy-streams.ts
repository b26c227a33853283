import type { Status } from '../objects/index.ts'
import type { SpdyConnection, SpdyStream } from '../spdy/index.ts'
import { flush, parseSizes, type RemoteStreams, type StreamRequest } from './remote-streams.ts'

/** The protocol of exec and attach over SPDY that is spoken: outcomes are Status objects, windows have sizes. */
export const spdyCommandProtocol = 'v4.channel.k8s.io'

// kubelet's defaults: how long the client may take to open its streams, and what it gets to take the last words.
const openMs = 30_000
const lingerMs = 10_000

/**
 * Collects the streams of a remote command, which the client opens one by one and names in the header `streamType`. `accept` takes a
 * new stream; `ready` resolves when all that were asked for are there, and rejects when they do not come.
 */
export class SpdyStreams {
  readonly #streams = new Map<string, SpdyStream>()
  readonly #wanted: readonly string[]
  readonly #request: StreamRequest
  #wake: (() => void) | undefined

  constructor(request: StreamRequest) {
    this.#request = request
    const { stdin, stdout, stderr, tty } = request
    const names = { stdin, stdout, stderr: stderr && !tty, resize: tty }
    this.#wanted = ['error', ...Object.entries(names).flatMap(([name, wanted]) => (wanted ? [name] : []))]
  }

  accept(stream: SpdyStream): void {
    const name = stream.headers.get('streamtype') ?? ''
    if (!this.#wanted.includes(name) || this.#streams.has(name)) stream.destroy()
    else this.#streams.set(name, stream)
    if (this.#streams.size === this.#wanted.length) this.#wake?.()
  }

  ready(connection: SpdyConnection): Promise<RemoteStreams> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('timed out waiting for the client to open its streams')), openMs)
      connection.onClose(() => {
        clearTimeout(timer)
        reject(new Error('the client has gone'))
      })
      this.#wake = () => {
        clearTimeout(timer)
        resolve(this.#assemble(connection))
      }
      if (this.#streams.size === this.#wanted.length) this.#wake()
    })
  }

  #assemble(connection: SpdyConnection): RemoteStreams {
    const [stdin, stdout, stderr] = ['stdin', 'stdout', 'stderr'].map((name) => this.#streams.get(name))
    const error = this.#streams.get('error')!
    // What flows in these directions has no meaning, and must not hold up the rest.
    for (const stream of [error, stdout, stderr]) stream?.resume()
    return {
      stdin: this.#request.stdin ? stdin : undefined,
      stdout,
      stderr,
      onResize: (callback) => readSizes(this.#streams.get('resize'), callback),
      onClose: (callback) => connection.onClose(callback),
      finish: async (status: Status) => {
        await flush(stdout, stderr)
        error.end(JSON.stringify(status))
        // Clients drop what they have not read yet when the connection closes, so they are left to close it.
        const timer = setTimeout(() => connection.close(), lingerMs)
        connection.onClose(() => clearTimeout(timer))
      },
    }
  }
}

function readSizes(stream: SpdyStream | undefined, callback: (columns: number, rows: number) => void): void {
  let text = ''
  stream?.on('data', (chunk: Buffer) => {
    const { sizes, rest } = parseSizes(text + chunk.toString())
    text = rest
    for (const { columns, rows } of sizes) callback(columns, rows)
  })
}
