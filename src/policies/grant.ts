import type { Address } from '../addr/index.ts'
import { inRanges } from './address-ranges.ts'
import { type Content, type Entry, mergePorts, type PortRange } from './content.ts'
import type { NamedPort, Transport } from './model.ts'

/** What connections may use: `all` is every port of every protocol, ICMP too; otherwise ranges by protocol, none where absent. */
export type Grant =
  | { readonly kind: 'all' }
  | { readonly kind: 'some'; readonly ports: ReadonlyMap<Transport, readonly PortRange[]> }

export const nothingGranted: Grant = { kind: 'some', ports: new Map() }

/** The other end of a connection: the peers that select it, or an address that no pod has. */
export interface GrantPeer {
  /** Ids of the pod peers that select it; undefined when it is no pod. */
  readonly selections: ReadonlySet<string> | undefined
  readonly addresses: readonly Address[]
}

/** The ports on which a content lets a pod talk with a peer. `destination`: named ports of whoever is asked. */
export function grantOf(content: Content, peer: GrantPeer, destination: readonly NamedPort[]): Grant {
  if (content.kind === 'open' || content.mode === 'audit') return { kind: 'all' }
  const ports = new Map<Transport, PortRange[]>()
  const add = (protocol: Transport, ranges: readonly PortRange[]): void => {
    const known = ports.get(protocol)
    if (known === undefined) ports.set(protocol, [...ranges])
    else known.push(...ranges)
  }
  for (const entry of content.entries) {
    if (!means(entry, peer)) continue
    if (entry.ports.kind === 'any') return { kind: 'all' }
    const { protocol } = entry.ports
    if (entry.ports.kind === 'ranges') add(protocol, entry.ports.ranges)
    else {
      const { name } = entry.ports
      for (const one of destination) {
        if (one.name === name && one.protocol === protocol) add(protocol, [{ first: one.port, last: one.port }])
      }
    }
  }
  return { kind: 'some', ports: new Map([...ports].map(([protocol, ranges]) => [protocol, mergePorts(ranges)])) }
}

function means(entry: Entry, { selections, addresses }: GrantPeer): boolean {
  if (entry.anybody) return true
  if (selections !== undefined && entry.pods.some(({ id }) => selections.has(id))) return true
  return addresses.some((address) => {
    const family = address.includes(':') ? 6 : 4
    return inRanges(family, entry.blocks[family], address)
  })
}

/** What both grants allow. */
export function intersectGrants(a: Grant, b: Grant): Grant {
  if (a.kind === 'all') return b
  if (b.kind === 'all') return a
  const ports = new Map<Transport, readonly PortRange[]>()
  for (const [protocol, ranges] of a.ports) {
    const both = (b.ports.get(protocol) ?? []).flatMap(({ first, last }) =>
      ranges.flatMap((one) => {
        const range = { first: Math.max(first, one.first), last: Math.min(last, one.last) }
        return range.first <= range.last ? [range] : []
      }),
    )
    if (both.length > 0) ports.set(protocol, mergePorts(both))
  }
  return { kind: 'some', ports }
}

/** What `a` allows and `b` does not. Everything without something stays everything: it holds protocols without ports too. */
export function subtractGrants(a: Grant, b: Grant): Grant {
  if (b.kind === 'all') return nothingGranted
  if (a.kind === 'all') return a
  const ports = new Map<Transport, readonly PortRange[]>()
  for (const [protocol, ranges] of a.ports) {
    let rest: readonly PortRange[] = ranges
    for (const hole of b.ports.get(protocol) ?? []) {
      rest = rest.flatMap(({ first, last }) =>
        [
          { first, last: Math.min(last, hole.first - 1) },
          { first: Math.max(first, hole.last + 1), last },
        ].filter((one) => one.first <= one.last),
      )
    }
    if (rest.length > 0) ports.set(protocol, rest)
  }
  return { kind: 'some', ports }
}

export function isEmpty(grant: Grant): boolean {
  return grant.kind === 'some' && grant.ports.size === 0
}

/** Whether a grant has a port of a protocol. */
export function hasPort(grant: Grant, protocol: Transport, port: number): boolean {
  if (grant.kind === 'all') return true
  return (grant.ports.get(protocol) ?? []).some(({ first, last }) => port >= first && port <= last)
}

/** `tcp 80, 443, 1000-2000; udp 53`, `everything` or `nothing`. */
export function renderGrant(grant: Grant): string {
  if (grant.kind === 'all') return 'everything'
  const words = [...grant.ports]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([protocol, ranges]) => {
      const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
      return `${protocol} ${texts.join() === '0-65535' ? 'any' : texts.join(', ')}`
    })
  return words.join('; ') || 'nothing'
}
