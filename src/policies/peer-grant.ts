import type { Address } from '../addr/index.ts'
import { type Labels, matches } from '../cluster/index.ts'
import { inRanges } from './address-ranges.ts'
import type { Content, Entry } from './content.ts'
import {
  everythingGranted,
  type Grant,
  grantPorts,
  intersectGrants,
  nothingGranted,
  subtractGrants,
  uniteGrants,
} from './grant.ts'
import type { NamedPort } from './model.ts'
import type { TieredContent, TierPolicy } from './tier-content.ts'

/** The other end of a connection: the peers that select it, or an address that no pod has. */
export interface GrantPeer {
  /** Ids of the pod peers that select it; undefined when it is no pod. */
  readonly selections: ReadonlySet<string> | undefined
  /** Those of one family at most. */
  readonly address?: Address
  /** The labels of the node that it is. */
  readonly node?: Labels
}

/** The ports on which a pod's policies let it talk with a peer. `destination`: named ports of whoever is asked. */
export function grantOf(content: TieredContent, peer: GrantPeer, destination: readonly NamedPort[]): Grant {
  const admin = decideTier(content.admin, everythingGranted, peer, destination)
  const { own } = content
  const isFinal = own.kind === 'closed' ? own.mode === 'enforce' : own.isolated
  const byOwn = isFinal ? ownGrant(own, peer, destination) : everythingGranted
  const left = intersectGrants(admin.left, byOwn)
  if (isFinal) return uniteGrants(admin.accepted, left)
  const baseline = decideTier(content.baseline, left, peer, destination)
  return uniteGrants(admin.accepted, uniteGrants(baseline.accepted, baseline.left))
}

/** What a tier accepts of what comes to it, and what it leaves to the next. */
function decideTier(
  policies: readonly TierPolicy[],
  coming: Grant,
  peer: GrantPeer,
  destination: readonly NamedPort[],
): { readonly accepted: Grant; readonly left: Grant } {
  let undecided = coming
  let accepted = nothingGranted
  let passed = nothingGranted
  for (const { mode, rules } of policies) {
    if (mode === 'audit') continue
    for (const { action, entries } of rules) {
      let meant = nothingGranted
      for (const entry of entries) if (means(entry, peer)) meant = uniteGrants(meant, portsOf(entry, destination))
      const matching = intersectGrants(undecided, meant)
      undecided = subtractGrants(undecided, meant)
      if (action === 'accept') accepted = uniteGrants(accepted, matching)
      else if (action === 'pass') passed = uniteGrants(passed, matching)
    }
  }
  return { accepted, left: uniteGrants(undecided, passed) }
}

function ownGrant(content: Content, peer: GrantPeer, destination: readonly NamedPort[]): Grant {
  if (content.kind === 'open') return everythingGranted
  let granted = nothingGranted
  for (const entry of content.entries) {
    if (!means(entry, peer)) continue
    if (entry.ports.kind === 'any') return everythingGranted
    granted = uniteGrants(granted, portsOf(entry, destination))
  }
  return granted
}

function portsOf({ ports }: Entry, destination: readonly NamedPort[]): Grant {
  switch (ports.kind) {
    case 'any':
      return everythingGranted
    case 'ranges':
      return grantPorts(ports.protocol, ports.ranges)
    case 'named': {
      const found = destination.filter((one) => one.name === ports.name && one.protocol === ports.protocol)
      if (found.length === 0) return nothingGranted
      return grantPorts(
        ports.protocol,
        found.map(({ port }) => ({ first: port, last: port })),
      )
    }
    default:
      return ports satisfies never
  }
}

function means({ anybody, pods, nodes, blocks }: Entry, { selections, address, node }: GrantPeer): boolean {
  if (anybody) return true
  if (selections !== undefined && pods.some(({ id }) => selections.has(id))) return true
  if (node !== undefined && nodes.some((one) => matches(one.nodes, node))) return true
  if (address === undefined) return false
  const family = address.includes(':') ? 6 : 4
  return inRanges(family, blocks[family], address)
}
