import type { ServerResponse } from 'node:http'
import type { LogBuffer, LogSelection } from '../containers/index.ts'

/** `PodLogOptions` as they come in a query. */
export interface LogRequest extends LogSelection {
  readonly follow: boolean
  readonly previous: boolean
}

/** Reads log options from a query; numbers that are none count as not given. */
export function parseLogRequest(query: URLSearchParams, nowMs: number): LogRequest {
  const number = (name: string): number | undefined => {
    const text = query.get(name)
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
  }
  const sinceSeconds = number('sinceSeconds')
  const sinceTime = Date.parse(query.get('sinceTime') ?? '')
  const tailLines = number('tailLines')
  const limitBytes = number('limitBytes')
  const sinceMs = sinceSeconds === undefined ? (Number.isNaN(sinceTime) ? 0 : sinceTime) : nowMs - sinceSeconds * 1000
  return {
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    timestamps: query.get('timestamps') === 'true',
    sinceMs,
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

/** Sends a container's log, and what comes after it when the client follows. */
export function sendLog(response: ServerResponse, log: LogBuffer, request: LogRequest): void {
  response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' })
  response.write(log.read(request))
  if (!request.follow) {
    response.end()
    return
  }
  response.flushHeaders()
  const stop = log.follow(request, (text) => {
    if (text === undefined) response.end()
    // A client that does not read is cut off; it can ask again with `since`.
    else if (response.writableLength > 4 << 20) response.destroy()
    else response.write(text)
  })
  response.once('close', stop)
}
