import type { IncomingMessage } from 'node:http'
import { type KubeObject, parseObjects, type Status } from '../objects/index.ts'
import { ApiError } from './contract.ts'
import { splitLines } from './lines.ts'
import { errorOf } from './rest.ts'
import { collect, type Transport } from './transport.ts'

/** One line of a watch. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: Status }

/** How one watch stream is read. */
export interface WatchOptions {
  readonly path: string
  readonly signal: AbortSignal
  /** The silence in ms after which the stream counts as stalled; asked anew after each chunk. */
  readonly silenceMs: () => number
  readonly onEvent: (event: Exclude<WatchEvent, { type: 'ERROR' }>) => void
  /** The server has said anything at all. */
  readonly onHeard: () => void
}

/**
 * Reads one watch until the server ends it. Throws `ApiError` on a refusal or an ERROR event (410 `Expired` among them),
 * the socket's error when the connection breaks, and an error with code `ETIMEDOUT` when the stream is silent for too long.
 */
export async function readWatch(transport: Transport, options: WatchOptions): Promise<void> {
  const { path, signal, onEvent } = options
  const response = await transport.stream(path, { accept: 'application/json' }, signal)
  if (response.statusCode !== 200) throw errorOf(await collect(response), 'GET', path)
  const lines = splitLines((line) => {
    const event = parseObjects(line) as WatchEvent
    if (event.type === 'ERROR') throw new ApiError(event.object)
    onEvent(event)
  })
  await readAll(response, options, (chunk) => lines.push(chunk))
}

function readAll(response: IncomingMessage, options: WatchOptions, push: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer)
      response.removeAllListeners('data')
      response.on('error', () => {})
      response.destroy()
      if (error) reject(error)
      else resolve()
    }
    const silent = () =>
      finish(Object.assign(new Error(`watch ${options.path}: silent for too long`), { code: 'ETIMEDOUT' }))
    let timer = setTimeout(silent, options.silenceMs())
    response.on('data', (chunk: Buffer) => {
      options.onHeard()
      try {
        push(chunk)
      } catch (error) {
        return finish(error as Error)
      }
      clearTimeout(timer)
      timer = setTimeout(silent, options.silenceMs())
    })
    response.on('end', () => finish())
    response.on('error', finish)
  })
}
