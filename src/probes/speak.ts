import type { HttpAnswer, Outcome, Speech } from '../doctor/index.ts'

/** The connection preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, 3.4). */
export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

const maxHead = 64 * 1024
const shownBody = 200

/** A GET that asks for the connection's end, so that the answer's end is seen. */
export function requestText({
  host,
  path,
  padding = 0,
}: Pick<Extract<Speech, { kind: 'http' }>, 'host' | 'path' | 'padding'>): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'User-Agent: plumb-doctor',
    'Accept: */*',
    'Connection: close',
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
  // The body is only shown: a part of it will do.
  return { kind: 'answered', says: `HTTP ${http.status}`, http }
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
    if (colon > 0) headers[one.slice(0, colon).toLowerCase()] = one.slice(colon + 1).trim()
  }
  return { status, headers: { ...headers }, body: bytes.subarray(end + 4, end + 4 + shownBody).toString('utf8') }
}
