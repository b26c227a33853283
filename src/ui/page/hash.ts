/** What the address bar holds: a view, and what is asked of it. */
export interface Place {
  readonly view: string
  readonly query: Readonly<Record<string, string>>
}

/** `#/why?from=pod/a/b&to=svc/a/c:80` */
export function parseHash(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  return { view: path, query: Object.fromEntries(new URLSearchParams(search)) }
}

/** The same as text; what is empty is left out, and slashes and colons stay readable. */
export function renderHash(view: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : [`${name}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%3A', ':')}`],
  )
  return `#/${view}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}
