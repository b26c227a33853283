import type { AnnotationReader } from './annotation-reader.ts'
import type { ValueMatch } from './model.ts'

/** Which requests an Ingress takes over from the one that has the same host and path. */
export interface Canary {
  /** Of `total`, of the requests that nothing else decides. */
  readonly weight: number
  readonly total: number
  /** Requests with one of these go to the canary, in this order of precedence with `never`. */
  readonly choices: readonly { readonly match: ValueMatch; readonly takes: boolean }[]
}

export function readCanary(read: AnnotationReader): Canary | undefined {
  if (!(read.flag('canary') ?? false)) return undefined
  const total = read.integer('canary-weight-total', 1, 1_000_000) ?? 100
  const header = read.like('canary-by-header', /^[\w-]+$/, 'the name of a header')?.toLowerCase()
  const cookie = read.like('canary-by-cookie', /^[\w-]+$/, 'the name of a cookie')
  return {
    weight: Math.min(total, read.integer('canary-weight', 0, total) ?? 0),
    total,
    choices: [...(header === undefined ? [] : headerChoices(header, read)), ...cookieChoices(cookie)],
  }
}

function headerChoices(name: string, read: AnnotationReader): Canary['choices'] {
  const value = read.like('canary-by-header-value', /^[\x20-\x7e]+$/, 'the value of a header')
  if (value !== undefined) return [{ match: { name, kind: 'exact', value }, takes: true }]
  const pattern = read.like('canary-by-header-pattern', /^[\x20-\x7e]+$/, 'a regular expression')
  if (pattern !== undefined) return [{ match: { name, kind: 'regex', value: `.*(?:${pattern}).*` }, takes: true }]
  return [
    { match: { name, kind: 'exact', value: 'always' }, takes: true },
    { match: { name, kind: 'exact', value: 'never' }, takes: false },
  ]
}

function cookieChoices(cookie: string | undefined): Canary['choices'] {
  if (cookie === undefined) return []
  const match = (value: string): ValueMatch => {
    return { name: 'cookie', kind: 'regex', value: `(?:.*;)? *${cookie}=${value}(?:;.*)?` }
  }
  return [
    { match: match('always'), takes: true },
    { match: match('never'), takes: false },
  ]
}
