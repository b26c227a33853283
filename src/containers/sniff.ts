/** What a client speaks, by the first bytes it sends. `undecided` needs more of them. */
export type Speech = 'http1' | 'http2' | 'tls' | 'redis' | 'other' | 'undecided'

// RFC 9113 section 3.4; a longer common start than `PRI ` cannot be an HTTP/1.1 request line.
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT', 'TRACE', 'PROPFIND', 'QUERY']

/** Tells the protocol from the start of a connection. */
export function sniff(start: Uint8Array): Speech {
  if (start.length === 0) return 'undecided'
  // RFC 8446 section 5.1: a handshake record (22) of version 3.x; nothing else in use starts with 0x16.
  if (start[0] === 0x16) return start.length === 1 ? 'undecided' : start[1] === 3 ? 'tls' : 'other'
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, preface.length)).toString('latin1')
  if (text.startsWith(preface)) return 'http2'
  if (preface.startsWith(text)) return 'undecided'
  const method = methods.find((known) => text.startsWith(`${known} `))
  if (method !== undefined) return 'http1'
  if (methods.some((known) => `${known} `.startsWith(text))) return 'undecided'
  // RESP: an array of bulk strings, or an inline command (PING and its start cannot be told from it until its end).
  if (/^\*[1-9]/.test(text) || /^PING\r?\n/i.test(text)) return 'redis'
  if (text === '*' || /^P(I(N(G\r?)?)?)?$/i.test(text)) return 'undecided'
  return 'other'
}
