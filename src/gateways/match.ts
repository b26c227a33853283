import type { HttpRule, PathPattern, ValueMatch } from './model.ts'

/** A request as rules see it. */
export interface MatchedRequest {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

/** Why a rule does not take a request; undefined when it does. */
export function whyNot(rule: HttpRule, request: MatchedRequest): string | undefined {
  const { path, method, headers, query } = rule
  if (!pathMatches(path, request.path)) return `its path is ${path.kind} ${path.value || '/'}`
  const asked = request.method ?? 'GET'
  if (method !== undefined && method !== asked) return `its method is ${method}, not ${asked}`
  return differs('header', headers, request.headers) ?? differs('query parameter', query, request.query)
}

function differs(
  what: string,
  matches: readonly ValueMatch[],
  given: Readonly<Record<string, string>> = {},
): string | undefined {
  for (const { name, kind, value } of matches) {
    const got = Object.hasOwn(given, name) ? given[name] : undefined
    if (got === undefined) return `it wants the ${what} ${name}`
    if (kind === 'exact' ? got !== value : !wholeRegex(value, got))
      return `it wants ${what} ${name} to be ${kind === 'exact' ? '' : 'like '}${value}, not ${got}`
  }
  return undefined
}

function pathMatches({ kind, value }: PathPattern, path: string): boolean {
  if (kind === 'exact') return path === value
  if (kind === 'regex') return wholeRegex(value, path)
  return path === value || path.startsWith(`${value}/`)
}

function wholeRegex(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text)
}

const longestPattern = 1024

/** Why a regular expression cannot be used; undefined for what RE2, PCRE and ECMAScript all understand alike. */
export function regexFault(pattern: string): string | undefined {
  if (pattern.length > longestPattern) return `it is longer than ${longestPattern} characters`
  if (/[\n\r\0]/.test(pattern)) return 'it has a line break'
  if (/\\(?![dDwWsSbBnrtfvx]|[^a-zA-Z0-9])/.test(pattern)) return 'it has an escape that is not understood everywhere'
  if (/\(\?(?!:)/.test(pattern)) return 'groups that begin with "(?" are not understood everywhere, except "(?:"'
  if (/\[\[?:/.test(pattern)) return 'POSIX classes are not understood everywhere'
  if (/[*+?}]\+/.test(pattern)) return 'possessive quantifiers are not understood everywhere'
  try {
    new RegExp(`^(?:${pattern})$`)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
