import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { Status } from '../objects/index.ts'

const compress = promisify(gzip)
/** Answers below this are sent as they are, as upstream does. */
const gzipThresholdBytes = 128 * 1024

/** A whole answer; streams (watch, logs) write by themselves. */
export interface Answer {
  readonly code: number
  readonly type: string
  readonly body: Buffer | string
  readonly headers?: OutgoingHttpHeaders
}

/** An answer of one JSON value. */
export function json(value: unknown, code = 200): Answer {
  return { code, type: 'application/json', body: JSON.stringify(value) }
}

/** A Status as an answer, under its own code. */
export function statusAnswer(status: Status): Answer {
  const seconds = status.details?.retryAfterSeconds
  return {
    ...json(status, status.code ?? 200),
    ...(seconds === undefined ? {} : { headers: { 'retry-after': String(seconds) } }),
  }
}

/** An answer of plain text. */
export function text(body: string, code = 200): Answer {
  return { code, type: 'text/plain; charset=utf-8', body }
}

// Programs in which people read; upstream's list.
const readers = /^(?:curl|Wget|Mozilla\/5\.0)/

/** Whether JSON is to be indented: the client asks for it (`?pretty=true`), or is one in which people read (as upstream). */
export function wantsPretty({ url = '', headers }: Pick<IncomingMessage, 'url' | 'headers'>): boolean {
  const asked = /[?&]pretty=([^&]*)/.exec(url)?.[1]
  return asked === undefined ? readers.test(headers['user-agent'] ?? '') : !/^(?:0|f|false)$/i.test(asked)
}

/** The same answer for people: JSON with indents and a line's end. */
export function pretty(answer: Answer): Answer {
  if (!answer.type.startsWith('application/json')) return answer
  return { ...answer, body: `${JSON.stringify(JSON.parse(String(answer.body)), undefined, 2)}\n` }
}

/** Sends the answer, compressed when it is large and the client asks for it. */
export async function send(
  response: ServerResponse,
  answer: Answer,
  acceptEncoding: string | undefined,
): Promise<void> {
  let body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  const headers: OutgoingHttpHeaders = {
    'cache-control': 'no-cache, private',
    ...answer.headers,
    'content-type': answer.type,
  }
  if (body.length >= gzipThresholdBytes && /\bgzip\b/.test(acceptEncoding ?? '')) {
    body = await compress(body, { level: constants.Z_BEST_SPEED })
    headers['content-encoding'] = 'gzip'
    headers.vary = 'Accept-Encoding'
  }
  if (response.destroyed || response.headersSent) return
  headers['content-length'] = body.length
  response.writeHead(answer.code, headers).end(body)
}
