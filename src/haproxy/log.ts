import type { Line } from './config.ts'

/** A word of a log line: its name here, and what HAProxy writes for it (Configuration Manual 8.2.4). */
export type LogWord = readonly [name: string, format: string]

/** Words with a blank between them. What a client chose must be encoded, as `%HPO`, `%hr` and `url_enc` do. */
export function logFormat(told: readonly LogWord[]): Line {
  return ['log-format', told.map(([, format]) => format).join(' ')]
}

/** Reads a line of so many words; undefined for any other. `-` is nothing. Captured headers (`%hr`) may have blanks, and must be the last. */
export function parseLog(line: string, told: readonly LogWord[]): Readonly<Record<string, string>> | undefined {
  const found = line.split(' ')
  const isLong = told.at(-1)?.[1] === '%hr' && found.length > told.length
  if (isLong) found.push(found.splice(told.length - 1).join(' '))
  if (found.length !== told.length) return undefined
  return Object.fromEntries(told.map(([name, format], at) => [name, decodeWord(found[at]!, format)]))
}

function decodeWord(word: string, format: string): string {
  if (word === '-' || word === '{}') return ''
  if (format.includes('url_enc')) return decodeBytes(word, '%')
  // Captured headers stand in braces.
  const inner = format === '%hr' ? word.slice(1, -1) : word
  return /^%(HPO|hr)$/.test(format) ? decodeBytes(inner, '#') : inner
}

/** Undoes `%41` or `#41`. */
function decodeBytes(text: string, sign: '%' | '#'): string {
  if (!text.includes(sign)) return text
  const bytes = text.replace(new RegExp(`${sign}([0-9A-Fa-f]{2})|[^\\x00-\\x7f]`, 'g'), (all, digits?: string) =>
    digits === undefined ? Buffer.from(all).toString('latin1') : String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
