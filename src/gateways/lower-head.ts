import type { Line } from '../haproxy/index.ts'
import { words } from './lower-words.ts'

/** More than any host that a route can be for, with a port: such a host is refused, and never told in part. */
export const longestHost = 261

/** What the log tells of a request's own words, by number: the host, and the id that it came with. */
export const capture: readonly Line[] = [
  words(`capture request header host len ${longestHost + 1}`),
  words('capture request header x-request-id len 129'),
]

/** As it came; cheaper than the header. */
export const host = 'capture.req.hdr(0)'
const givenId = 'capture.req.hdr(1)'
/** What is taken for the id of a request; regular expressions of HAProxy and of ECMAScript agree about it. */
export const isId = /^[\w.:-]{1,128}$/
const hasId = `{ ${givenId} -m reg ${isId.source} }`

/** What is the same for all requests of a connection is made words of once. */
export const readConnection: readonly Line[] = [
  // A converter of texts makes a text of it, and `lower` leaves it as it is.
  words('tcp-request session set-var(sess.client) src,lower'),
  words('tcp-request session set-var-fmt(sess.id) %[rand,hex,bytes(8)]%[rand,hex,bytes(8)]'),
]

/** A request keeps the id that it came with, when that is one; others are 64 random bits of their connection, and their number. */
export const requestId: readonly Line[] = [
  words('unique-id-format %[var(sess.id)]-%rt'),
  // Of several the last, alone.
  ['http-request', 'set-header', 'x-request-id', `%[${givenId}]`, ...words(`if { ${givenId} -m found }`)],
  ['http-request', 'set-header', 'x-request-id', '%[unique-id]', ...words(`if !${hasId}`)],
]

/** The same id in an answer, where a condition holds. An id that nobody asks for is not made. */
export function answerId(condition: readonly string[]): Line[] {
  const set = words('http-after-response set-header x-request-id')
  return [
    [...set, '%[unique-id]', ...condition, ...words(`!${hasId}`)],
    [...set, `%[${givenId}]`, ...condition, ...words(hasId)],
  ]
}

/** What the client says of earlier hops is not believed. */
export function forwarded(scheme: string, port: number): Line[] {
  return [
    ['http-request', 'set-header', 'x-forwarded-for', '%[var(sess.client)]'],
    ['http-request', 'set-header', 'x-forwarded-proto', scheme],
    ['http-request', 'set-header', 'x-forwarded-port', String(port)],
    ['http-request', 'set-header', 'x-forwarded-host', `%[${host}]`, ...words(`if { ${host} -m found }`)],
    ['http-request', 'del-header', 'forwarded'],
  ]
}
