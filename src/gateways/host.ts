/**
 * Which hosts are meant; names are in lower case. `wildcard`: one label in front of `name` (networking/v1 IngressRule.Host);
 * `suffix`: one or more labels in front (Gateway API Hostname).
 */
export type HostPattern =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'wildcard'; readonly name: string }
  | { readonly kind: 'suffix'; readonly name: string }
  | { readonly kind: 'any' }

/** `example.com`, `*.example.com` or `*`. */
export function hostText(host: HostPattern): string {
  switch (host.kind) {
    case 'exact':
      return host.name
    case 'wildcard':
    case 'suffix':
      return `*.${host.name}`
    case 'any':
      return '*'
    default:
      return host satisfies never
  }
}

/** Reads a host of an object; nothing means any. */
export function parseHost(text: string | undefined, star: 'wildcard' | 'suffix'): HostPattern {
  const name = (text ?? '').toLowerCase()
  if (name === '' || name === '*') return { kind: 'any' }
  return name.startsWith('*.') ? { kind: star, name: name.slice(2) } : { kind: 'exact', name }
}

/** Whether every host that `narrow` means is meant by `wide` too. */
export function covers(wide: HostPattern, narrow: HostPattern): boolean {
  if (wide.kind === 'any') return true
  if (narrow.kind === 'any') return false
  if (wide.kind === 'exact') return narrow.kind === 'exact' && narrow.name === wide.name
  if (wide.kind === 'suffix')
    return narrow.kind === 'exact'
      ? narrow.name.endsWith(`.${wide.name}`)
      : narrow.name === wide.name || narrow.name.endsWith(`.${wide.name}`)
  if (narrow.kind === 'wildcard') return narrow.name === wide.name
  return (
    narrow.kind === 'exact' &&
    narrow.name.indexOf('.') > 0 &&
    narrow.name.slice(narrow.name.indexOf('.') + 1) === wide.name
  )
}

/** The hosts that two patterns share; of nested ones that is the narrower. */
export function intersect(a: HostPattern, b: HostPattern): HostPattern | undefined {
  if (covers(a, b)) return b
  return covers(b, a) ? a : undefined
}

/** Orders patterns, the most specific first: exact names, then longer wildcards, then any. */
export function moreSpecific(a: HostPattern, b: HostPattern): number {
  const [left, right] = [rank(a), rank(b)]
  return left === right ? 0 : right - left
}

function rank(host: HostPattern): number {
  if (host.kind === 'exact') return Number.POSITIVE_INFINITY
  return host.kind === 'any' ? -1 : host.name.length
}

/** The patterns of a list that a host belongs to, the most specific first. */
export function patternsOf<T extends { readonly host: HostPattern }>(name: string, all: readonly T[]): T[] {
  const host: HostPattern = { kind: 'exact', name }
  return all.filter((one) => covers(one.host, host)).sort((a, b) => moreSpecific(a.host, b.host))
}

/** The name in a Host header or an SNI: without the port and a last dot, in lower case. */
export function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.+$/, '')
}
