import type { Line } from './config.ts'

/**
 * A word of a log line: its name here, what HAProxy writes for it (Configuration Manual 8.2.4), and the sign of encoded bytes (`%41`,
 * `#41`). Captured headers have a name each, with bars between them.
 */
export type LogWord = readonly [name: string, format: string, encoded?: '%' | '#']

/** Words with a blank between them. What a client chose must be encoded, as `%HPO`, `%hr` (both `#`) and `url_enc` do. */
export function logFormat(told: readonly LogWord[]): Line {
  return ['log-format', told.map(([, format]) => format).join(' ')]
}

/** Reads a line of so many words; undefined for any other. `-` is nothing. Captured headers (`%hr`) may have blanks, and must be the last. */
export function parseLog(line: string, told: readonly LogWord[]): Readonly<Record<string, string>> | undefined {
  const found = line.split(' ')
  const isLong = told.at(-1)?.[1] === '%hr' && found.length > told.length
  if (isLong) found.push(found.splice(told.length - 1).join(' '))
  if (found.length !== told.length) return undefined
  return Object.fromEntries(told.flatMap((word, at) => readWord(found[at]!, word)))
}

function readWord(text: string, [name, format, encoded]: LogWord): (readonly [string, string])[] {
  const decode = (one: string): string => (encoded === undefined ? one : decodeBytes(one, encoded))
  if (format !== '%hr') return [[name, text === '-' ? '' : decode(text)]]
  // They stand in braces, and have no bars themselves, which are encoded.
  const captured = text.slice(1, -1).split('|')
  return name.split('|').map((one, at) => [one, decode(captured[at] ?? '')])
}

/** Undoes `%41` or `#41`. */
function decodeBytes(text: string, sign: '%' | '#'): string {
  if (!text.includes(sign)) return text
  const bytes = text.replace(new RegExp(`${sign}([0-9A-Fa-f]{2})|[^\\x00-\\x7f]`, 'g'), (all, digits?: string) =>
    digits === undefined ? Buffer.from(all).toString('latin1') : String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
