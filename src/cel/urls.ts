import type * as Cel from '@marcbachmann/cel-js'

/** An absolute URI or path (`url()`), as Go's net/url reads a request's. */
class Url {
  readonly scheme: string
  readonly parsed: URL
  readonly text: string

  constructor(text: string, parsed: URL, scheme: string) {
    this.text = text
    this.parsed = parsed
    this.scheme = scheme
  }
}

const base = 'http://relative.invalid'

function findUrl(text: string): Url | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? ''
  const parsed = scheme === '' ? (text.startsWith('/') ? URL.parse(base + text) : null) : URL.parse(text)
  return parsed === null ? undefined : new Url(text, parsed, scheme)
}

function urlOf(text: string): Url {
  const found = findUrl(text)
  if (found === undefined)
    throw new Error(`URL parse error during conversion from string: parse "${text}": invalid URI for request`)
  return found
}

/** The host with its port as it was written; empty for a path. */
function hostOf({ scheme, text, parsed }: Url): string {
  if (scheme === '') return ''
  return /^[^:]+:\/\/(?:[^/?#@]*@)?([^/?#]*)/.exec(text)?.[1] ?? parsed.host
}

function portOf(it: Url): string {
  return /:(\d*)$/.exec(hostOf(it))?.[1] ?? ''
}

function queryOf({ parsed }: Url): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const [name, value] of parsed.searchParams) values.set(name, [...(values.get(name) ?? []), value])
  return values
}

/** Kubernetes' URL library. */
export function registerUrls(environment: Cel.Environment): Cel.Environment {
  return environment
    .registerType('kubernetes.URL', Url as never)
    .registerFunction('isURL(string): bool', (text: string) => findUrl(text) !== undefined)
    .registerFunction('url(string): kubernetes.URL', urlOf)
    .registerFunction('kubernetes.URL.getScheme(): string', ({ scheme }: Url) => scheme)
    .registerFunction('kubernetes.URL.getHost(): string', hostOf)
    .registerFunction('kubernetes.URL.getHostname(): string', (it: Url) =>
      hostOf(it)
        .replace(/:\d*$/, '')
        .replace(/^\[|\]$/g, ''),
    )
    .registerFunction('kubernetes.URL.getPort(): string', portOf)
    .registerFunction('kubernetes.URL.getEscapedPath(): string', ({ parsed, text }: Url) =>
      /^[^:]+:\/\/[^/?#]*(?:[?#]|$)/.test(text) ? '' : parsed.pathname,
    )
    .registerFunction('kubernetes.URL.getQuery(): map<string, list<string>>', queryOf)
}
