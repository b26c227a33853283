import type { Family } from '../addr/index.ts'
import { mergeRanges } from './address-ranges.ts'
import type {
  AddressRange,
  Direction,
  NamedPort,
  NodesPeer,
  PodsPeer,
  PolicyModel,
  PortMatch,
  Transport,
} from './model.ts'

/** What a pod may do in one direction, put together from all policies that select it. */
export type Content =
  /** Nothing isolates it, or a rule allows everything. */
  { readonly kind: 'open'; readonly isolated: boolean } | Closed

/** What alone may pass. `audit`: only audited policies isolate the pod, so the rest is told and passes too. */
export interface Closed {
  readonly kind: 'closed'
  readonly mode: 'enforce' | 'audit'
  readonly entries: readonly Entry[]
  readonly policies: readonly string[]
}

/** Peers that share ports. */
export interface Entry {
  readonly ports: EntryPorts
  readonly anybody: boolean
  readonly pods: readonly PodsPeer[]
  readonly blocks: Readonly<Record<Family, readonly AddressRange[]>>
  readonly nodes: readonly NodesPeer[]
  /** Domain names, for whatever addresses DNS has told of them. */
  readonly names: readonly string[]
  /** Keys of the policies whose rules are in here. */
  readonly policies: readonly string[]
}

export type EntryPorts =
  | { readonly kind: 'any' }
  | { readonly kind: 'ranges'; readonly protocol: Transport; readonly ranges: readonly PortRange[] }
  /** Egress only: whatever port the destination pod gives this name. */
  | { readonly kind: 'named'; readonly protocol: Transport; readonly name: string }

export interface PortRange {
  readonly first: number
  readonly last: number
}

interface Draft {
  readonly ports: EntryPorts
  anybody: boolean
  readonly pods: Map<string, PodsPeer>
  readonly blocks: Record<Family, AddressRange[]>
  readonly policies: Set<string>
}

/**
 * Unites the rules of all policies that select a pod. Rules with the same ports become one entry, so that a packet is compared
 * with each set of ports once. `own` are the pod's named ports, which ingress rules speak of.
 */
export function compose(policies: readonly PolicyModel[], direction: Direction, own: readonly NamedPort[]): Content {
  const isolating = policies.filter((policy) => policy[direction].kind === 'isolated')
  const enforced = isolating.filter(({ audit }) => !audit)
  const sorted = (enforced.length > 0 ? enforced : isolating).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  if (sorted.length === 0) return { kind: 'open', isolated: false }
  const mode = enforced.length > 0 ? 'enforce' : 'audit'
  const drafts = new Map<string, Draft>()
  for (const policy of sorted) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    for (const { peers, ports } of isolation.rules) {
      const some = ports.kind === 'any' ? [anyPort] : unite(ports.ports, direction === 'ingress' ? own : undefined)
      if (ports.kind === 'any' && peers.kind === 'any') return { kind: 'open', isolated: mode === 'enforce' }
      for (const one of some) {
        const key = portsKey(one)
        let draft = drafts.get(key)
        if (draft === undefined) {
          draft = { ports: one, anybody: false, pods: new Map(), blocks: { 4: [], 6: [] }, policies: new Set() }
          drafts.set(key, draft)
        }
        draft.policies.add(policy.key)
        if (peers.kind === 'any') draft.anybody = true
        else {
          for (const peer of peers.peers) {
            if (peer.kind === 'pods') draft.pods.set(peer.id, peer)
            else if (peer.kind === 'block') draft.blocks[peer.family].push(...peer.ranges)
          }
        }
      }
    }
  }
  const entries = [...drafts.values()].map(
    (draft): Entry => ({
      ports: draft.ports,
      anybody: draft.anybody,
      pods: [...draft.pods.values()],
      blocks: { 4: mergeRanges(draft.blocks[4]), 6: mergeRanges(draft.blocks[6]) },
      nodes: [],
      names: [],
      policies: [...draft.policies],
    }),
  )
  return { kind: 'closed', mode, entries, policies: sorted.map(({ key }) => key) }
}

/** Every port of every protocol. */
export const anyPort: EntryPorts = { kind: 'any' }

/** The ports of a rule, united by protocol. `own` resolves names; without it they stay for each destination to resolve. */
export function unite(ports: readonly PortMatch[], own: readonly NamedPort[] | undefined): readonly EntryPorts[] {
  const byProtocol = new Map<Transport, PortRange[]>()
  const named: EntryPorts[] = []
  const note = (protocol: Transport, range: PortRange): void => {
    const ranges = byProtocol.get(protocol)
    if (ranges === undefined) byProtocol.set(protocol, [range])
    else ranges.push(range)
  }
  for (const match of ports) {
    const { protocol } = match
    if (match.kind === 'range') note(protocol, match)
    else if (own === undefined) named.push({ kind: 'named', protocol, name: match.name })
    else {
      const found = own.find((one) => one.name === match.name && one.protocol === protocol)
      if (found !== undefined) note(protocol, { first: found.port, last: found.port })
    }
  }
  const ranges = [...byProtocol].map(([protocol, some]): EntryPorts => {
    return { kind: 'ranges', protocol, ranges: mergePorts(some) }
  })
  return [...ranges, ...named]
}

/** The same ports as ranges in order that neither overlap nor touch. */
export function mergePorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const sorted = ranges.map(({ first, last }) => ({ first, last })).sort((a, b) => a.first - b.first)
  const merged: { first: number; last: number }[] = []
  for (const range of sorted) {
    const before = merged.at(-1)
    if (before !== undefined && range.first <= before.last + 1) before.last = Math.max(before.last, range.last)
    else merged.push(range)
  }
  return merged
}

function portsKey(ports: EntryPorts): string {
  switch (ports.kind) {
    case 'any':
      return 'any'
    case 'named':
      return `${ports.protocol} "${ports.name}"`
    case 'ranges':
      return `${ports.protocol} ${ports.ranges.map(({ first, last }) => `${first}-${last}`).join()}`
    default:
      return ports satisfies never
  }
}
