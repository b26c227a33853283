import type { HttpAnswer, Outcome, Speech } from '../doctor/index.ts'

/** The connection preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, 3.4). */
export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

const maxHead = 64 * 1024
/** A longer body is not waited for. */
const maxBody = 256 * 1024
const shownBody = 200

/** A GET that asks for the connection's end, so that the answer's end is seen, unless another one is to follow. */
export function requestText({
  host,
  path,
  padding = 0,
  idleMs,
}: Pick<Extract<Speech, { kind: 'http' }>, 'host' | 'path' | 'padding' | 'idleMs'>): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'User-Agent: plumb-doctor',
    'Accept: */*',
    `Connection: ${idleMs === undefined ? 'close' : 'keep-alive'}`,
  ]
  if (padding > 0) lines.push(`X-Padding: ${'x'.repeat(padding)}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** What the bytes so far mean; undefined while they may still become an answer. `end`: nothing more comes. */
export function readAnswer(spoken: 'http' | 'h2c', bytes: Buffer, end: boolean): Outcome | undefined {
  if (bytes.length === 0) return end ? { kind: 'closed', how: 'end' } : undefined
  const foreign = findForeign(spoken, bytes)
  if (foreign !== undefined) return foreign
  if (spoken === 'h2c') {
    // The server's SETTINGS come first: type 4 in the fourth byte.
    if (bytes.length >= 9) return { kind: 'answered', says: 'HTTP/2 SETTINGS' }
    return end ? { kind: 'closed', how: 'end' } : undefined
  }
  const http = parseHttp(bytes)
  if (http === undefined) {
    if (!end && bytes.length < maxHead) return undefined
    return { kind: 'closed', how: 'end' }
  }
  return isWhole(http, bytes) ? answered(http) : end ? answered(withCut(http, bytes)) : undefined
}

function answered(http: HttpAnswer): Outcome {
  const { status, cut } = http
  const part = cut === undefined ? '' : `, and ${cut.bytes} of the ${cut.promised} bytes of its body`
  return { kind: 'answered', says: `HTTP ${status}${part}`, http }
}

/** Whether the body is there as far as it is waited for: one of a length that is told and not too long. */
function isWhole(http: HttpAnswer, bytes: Buffer): boolean {
  const length = lengthOf(http)
  return length === undefined || length > maxBody || bodyBytes(bytes) >= length
}

function withCut(http: HttpAnswer, bytes: Buffer): HttpAnswer {
  return { ...http, cut: { bytes: bodyBytes(bytes), promised: lengthOf(http) ?? 0 } }
}

/** What Content-Length promises; undefined where the body's end is told otherwise or there is none. */
function lengthOf({ status, headers }: HttpAnswer): number | undefined {
  const text = headers['content-length']
  if (text === undefined || !/^\d+$/.test(text) || headers['transfer-encoding'] !== undefined) return undefined
  return status === 204 || status === 304 ? undefined : Number(text)
}

function bodyBytes(bytes: Buffer): number {
  return bytes.length - bytes.indexOf('\r\n\r\n') - 4
}

/** Whether another request may follow on the connection, the answer being whole (RFC 9112, 9.3). */
export function canFollow({ headers, status }: HttpAnswer, bytes: Buffer): boolean {
  if (/close/i.test(headers.connection ?? '')) return false
  if (headers['transfer-encoding'] !== undefined) return bytes.subarray(-5).toString('latin1') === '0\r\n\r\n'
  return headers['content-length'] !== undefined || status === 204 || status === 304
}

function findForeign(spoken: 'http' | 'h2c', bytes: Buffer): Outcome | undefined {
  const text = bytes.subarray(0, 5).toString('latin1')
  // A TLS record: alert (0x15) or handshake (0x16), version 3.x.
  if ((bytes[0] === 0x15 || bytes[0] === 0x16) && (bytes[1] ?? 3) === 3) {
    return {
      kind: 'garbled',
      speaks: 'tls',
      says: `a TLS ${bytes[0] === 0x15 ? 'alert' : 'record'} came back to plain ${spoken === 'http' ? 'HTTP' : 'HTTP/2'}`,
    }
  }
  const isHttp1 = 'HTTP/'.startsWith(text)
  const isHttp2 = bytes.length >= 9 && bytes[3] === 4 && bytes.readUIntBE(0, 3) < 16_384
  if (spoken === 'h2c' && text === 'HTTP/') {
    return { kind: 'garbled', speaks: 'http', says: `HTTP/1.1 ${statusOf(bytes)} came back to the preface of HTTP/2` }
  }
  if (spoken === 'http' && !isHttp1) {
    if (isHttp2) return { kind: 'garbled', speaks: 'h2', says: 'HTTP/2 frames came back to HTTP/1.1' }
    return {
      kind: 'garbled',
      speaks: 'other',
      says: `${JSON.stringify(bytes.subarray(0, 24).toString('latin1'))} came back to HTTP`,
    }
  }
  return undefined
}

function statusOf(bytes: Buffer): string {
  return bytes.subarray(9, 12).toString('latin1')
}

/** Status, headers and the beginning of the body; undefined while the head is not whole. */
export function parseHttp(bytes: Buffer): HttpAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...rest] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1])
  if (!Number.isInteger(status)) return undefined
  const headers: Record<string, string> = Object.create(null)
  for (const one of rest) {
    const colon = one.indexOf(':')
    if (colon <= 0) continue
    const name = one.slice(0, colon).toLowerCase()
    const value = one.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { status, headers: { ...headers }, body: bytes.subarray(end + 4, end + 4 + shownBody).toString('utf8') }
}
