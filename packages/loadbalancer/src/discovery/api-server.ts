import { type IncomingMessage, Agent as PlainAgent } from 'node:http'
import { Agent, type RequestOptions } from 'node:https'
import type { Credentials } from './credentials.ts'

/** One event of a watch. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

/** As much of an API server as discovery needs. */
export interface ApiServer {
  get<T>(path: string, signal: AbortSignal): Promise<T>
  /** Ends when the server ends it; throws when the connection breaks. */
  watch<T>(path: string, signal: AbortSignal): AsyncIterable<WatchEvent<T>>
  close(): void
}

const largestBytes = 256 << 20
/** A watch without even a bookmark for this long is dead; bookmarks come once a minute. */
const silenceMs = 150_000

/** Opens connections when they are needed and keeps them. */
export function openApiServer(credentials: Credentials): ApiServer {
  const isPlain = credentials.server.startsWith('http:')
  const { ca, cert, key, insecure } = credentials
  const agent = isPlain
    ? new PlainAgent({ keepAlive: true })
    : new Agent({
        keepAlive: true,
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
        ...(insecure && { rejectUnauthorized: false }),
      })

  async function send(path: string, signal: AbortSignal, timeout: number): Promise<IncomingMessage> {
    const { request } = isPlain ? await import('node:http') : await import('node:https')
    const token = credentials.token?.()
    const headers = {
      accept: 'application/json',
      'user-agent': 'plumb-loadbalancer',
      ...(token && { authorization: `Bearer ${token}` }),
    }
    return new Promise((resolve, reject) => {
      const options: RequestOptions = { agent, headers, signal, timeout }
      const call = request(new URL(path, credentials.server), options, resolve)
      call.on('timeout', () => call.destroy(new Error(`${credentials.server} was silent for ${timeout / 1000} s`)))
      call.on('error', reject)
      call.end()
    })
  }

  return {
    async get<T>(path: string, signal: AbortSignal) {
      const answer = await send(path, signal, 30_000)
      const text = await readAll(answer)
      if (answer.statusCode !== 200) throw new Error(refusalOf(answer.statusCode, text))
      return JSON.parse(text) as T
    },
    async *watch<T>(path: string, signal: AbortSignal) {
      const answer = await send(path, signal, silenceMs)
      if (answer.statusCode !== 200) throw new Error(refusalOf(answer.statusCode, await readAll(answer)))
      let rest = ''
      answer.setEncoding('utf8')
      for await (const chunk of answer as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > largestBytes) throw new Error('an event of the watch is too large')
        for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent<T>
      }
    },
    close: () => agent.destroy(),
  }
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > largestBytes) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function refusalOf(status: number | undefined, text: string): string {
  let message = text
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    // Not a Status; whatever it is, its begin will tell.
  }
  return `the API server answered ${status}: ${message.slice(0, 300)}`
}
