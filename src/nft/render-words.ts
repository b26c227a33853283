import type { Verdict } from './language.ts'

/** `goto NAME`, `accept`, …: as a rule or an element has it. */
export function renderVerdict(verdict: Verdict): string {
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind
}

/** The verdict that `goto NAME`, `jump NAME`, `accept`, `drop`, `return` or `continue` spells; throws a TypeError on anything else. */
export function parseVerdict(text: string): Verdict {
  if (text === 'accept' || text === 'drop' || text === 'return' || text === 'continue') return { kind: text }
  const match = /^(goto|jump) (\S+)$/.exec(text)
  if (match === null) throw new TypeError(`"${text}" is no verdict`)
  return { kind: match[1] === 'goto' ? 'goto' : 'jump', chain: match[2] ?? '' }
}

/** Seconds as nft prints them: `1d2h3m4s`, `3h`. */
export function renderDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [Math.floor(seconds) % 60, 's'],
  ] as const
  const text = parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count}${unit}`])).join('')
  const ms = Math.round((seconds % 1) * 1000)
  return text + (ms === 0 ? '' : `${ms}ms`) || '0s'
}

/** nft knows no escapes: quotes and line ends cannot stand in a quoted string. */
export function quote(text: string): string {
  if (/["\n\r\0]/.test(text))
    throw new TypeError(`${JSON.stringify(text)} cannot be quoted in nft: leave out quotes and line ends`)
  return `"${text}"`
}
