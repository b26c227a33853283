import { type Line, type LogWord, logFormat, parseLog } from '../haproxy/index.ts'
import { isId } from './lower-head.ts'

/** What is told of a stream when it is over, a word each (Configuration Manual 8.2.4); `-` and -1 are what never came to be. */
function told(client: string, sni: string): LogWord[] {
  return [
    ['time', '%Ts.%ms'],
    ['client', client],
    ['entrance', '%f'],
    ['backend', '%b'],
    ['server', '%s'],
    ['hit', '%[var(txn.hit)]'],
    ['sni', sni, '%'],
    ['state', '%ts'],
    ['bytes', '%B'],
    ['retries', '%rc'],
    ['connectMs', '%Tc'],
    ['totalMs', '%Tt'],
  ]
}

const toldOfStreams = told('%ci', '%[var(sess.sni),url_enc]')

/** The same of a request, and more. What is the same for all requests of a connection was made words of once (`readConnection`). */
function toldOfRequests(sni: string): LogWord[] {
  return [
    ...told('%[var(sess.client)]', sni),
    ['made', '%ID'],
    ['status', '%ST'],
    ['requestMs', '%TR'],
    ['firstByteMs', '%Tr'],
    ['method', '%HM'],
    ['reason', '%[var(txn.reason),url_enc]', '%'],
    ['path', '%HPO', '#'],
    // What is captured of a request (`capture`).
    ['host|given', '%hr', '#'],
  ]
}

/** One line for each stream. */
export const streamFormat: Line = logFormat(toldOfStreams)

/** The same for each request. */
export function requestFormat(isTls: boolean): Line {
  return logFormat(toldOfRequests(isTls ? '%[var(sess.told_sni)]' : '-'))
}

const toldOfAllRequests = toldOfRequests('-')

/** Reads a line of the log; undefined for what is none. Values are decoded, and empty where there was nothing. */
export function parseLogLine(line: string): Readonly<Record<string, string>> | undefined {
  const found = parseLog(line, toldOfAllRequests) ?? parseLog(line, toldOfStreams)
  if (found === undefined) return undefined
  const { hit = '', given = '', made = '' } = found
  const [, section, route = '', , id] = hit.split('|')
  // A spare that a backend had.
  const backend = id !== undefined && section === found.backend ? id : (found.backend ?? '')
  return { ...found, backend, route, id: isId.test(given) ? given : made }
}
