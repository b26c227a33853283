import { mergePorts, type PortRange } from './content.ts'
import type { Transport } from './model.ts'

/** What connections may use: `all` is every port of every protocol; otherwise ranges by protocol, none where absent. */
export type Grant =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'some'
      readonly ports: ReadonlyMap<Transport, readonly PortRange[]>
      /** Whether protocols without ports may pass, as ICMP. */
      readonly others: boolean
    }

export const everythingGranted: Grant = { kind: 'all' }
export const nothingGranted: Grant = { kind: 'some', ports: new Map(), others: false }

const transports: readonly Transport[] = ['tcp', 'udp', 'sctp']
const wholeRange: readonly PortRange[] = [{ first: 0, last: 65535 }]

/** Ports of one protocol. */
export function grantPorts(protocol: Transport, ranges: readonly PortRange[]): Grant {
  return { kind: 'some', ports: new Map([[protocol, mergePorts(ranges)]]), others: false }
}

/** What both grants allow. */
export function intersectGrants(a: Grant, b: Grant): Grant {
  return combine(a, b, intersectRanges, (one, other) => one && other)
}

/** What either grant allows. */
export function uniteGrants(a: Grant, b: Grant): Grant {
  return combine(
    a,
    b,
    (some, others) => mergePorts([...some, ...others]),
    (one, other) => one || other,
  )
}

/** What `a` allows and `b` does not. */
export function subtractGrants(a: Grant, b: Grant): Grant {
  return combine(a, b, subtractRanges, (one, other) => one && !other)
}

function combine(
  a: Grant,
  b: Grant,
  ranges: (a: readonly PortRange[], b: readonly PortRange[]) => readonly PortRange[],
  flags: (a: boolean, b: boolean) => boolean,
): Grant {
  const ports = new Map<Transport, readonly PortRange[]>()
  for (const protocol of transports) {
    const found = ranges(rangesOf(a, protocol), rangesOf(b, protocol))
    if (found.length > 0) ports.set(protocol, found)
  }
  const others = flags(a.kind === 'all' || a.others, b.kind === 'all' || b.others)
  const isWhole = (some: readonly PortRange[] | undefined): boolean => some?.[0]?.first === 0 && some[0].last === 65535
  if (others && transports.every((protocol) => isWhole(ports.get(protocol)))) return everythingGranted
  return { kind: 'some', ports, others }
}

function rangesOf(grant: Grant, protocol: Transport): readonly PortRange[] {
  return grant.kind === 'all' ? wholeRange : (grant.ports.get(protocol) ?? [])
}

function intersectRanges(a: readonly PortRange[], b: readonly PortRange[]): readonly PortRange[] {
  return mergePorts(
    a.flatMap((one) =>
      b.flatMap((other) => {
        const range = { first: Math.max(one.first, other.first), last: Math.min(one.last, other.last) }
        return range.first <= range.last ? [range] : []
      }),
    ),
  )
}

function subtractRanges(a: readonly PortRange[], b: readonly PortRange[]): readonly PortRange[] {
  let rest = a
  for (const hole of b) {
    rest = rest.flatMap(({ first, last }) =>
      [
        { first, last: Math.min(last, hole.first - 1) },
        { first: Math.max(first, hole.last + 1), last },
      ].filter((one) => one.first <= one.last),
    )
  }
  return rest
}

export function isEmpty(grant: Grant): boolean {
  return grant.kind === 'some' && grant.ports.size === 0 && !grant.others
}

/** Whether a grant has a port of a protocol. */
export function hasPort(grant: Grant, protocol: Transport, port: number): boolean {
  return rangesOf(grant, protocol).some(({ first, last }) => port >= first && port <= last)
}

/** `tcp 80, 443, 1000-2000; udp 53; other protocols`, `everything` or `nothing`. */
export function renderGrant(grant: Grant): string {
  if (grant.kind === 'all') return 'everything'
  const words = [...grant.ports]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([protocol, ranges]) => {
      const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
      return `${protocol} ${texts.join() === '0-65535' ? 'any' : texts.join(', ')}`
    })
  return [...words, ...(grant.others ? ['other protocols'] : [])].join('; ') || 'nothing'
}
