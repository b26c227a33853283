import { addressAt, type Family, families } from '../addr/index.ts'
import type { Node } from '../objects/index.ts'
import {
  type AddressRange,
  type ClusterPolicyModel,
  type Content,
  type Entry,
  type Grant,
  type GrantPeer,
  grantOf,
  isEmpty,
  mergeRanges,
  policyNode,
  renderGrant,
  renderRange,
  type TieredContent,
  wholeOf,
} from '../policies/index.ts'

/** The nodes, where some policy means nodes: `node/NAME` at the first address of its status. */
export function nodePeers(
  nodes: readonly Node[],
  clusterPolicies: readonly ClusterPolicyModel[],
): readonly { readonly who: string; readonly peer: GrantPeer }[] {
  const rules = clusterPolicies.flatMap(({ egress }) => egress)
  if (!rules.some(({ peers }) => peers.kind === 'some' && peers.peers.some(({ kind }) => kind === 'nodes'))) return []
  return nodes.flatMap((node) => {
    const { addresses, labels } = policyNode(node)
    const [address] = addresses
    if (address === undefined) return []
    return [{ who: `node/${node.metadata.name}`, peer: { selections: undefined, address, node: labels } }]
  })
}

/** What policies allow a pod with addresses that no pod has: every address once, in exact ranges that are treated alike. */
export function beyond(content: TieredContent): readonly { readonly who: string; readonly grant: Grant }[] {
  const found = new Map<string, { readonly grant: Grant; readonly ranges: Record<Family, AddressRange[]> }>()
  for (const family of families) {
    for (const range of cut(family, rangesIn(family, content))) {
      const grant = grantOf(content, { selections: undefined, address: addressAt(family, range.low) }, [])
      if (isEmpty(grant)) continue
      const key = renderGrant(grant)
      const known = found.get(key) ?? { grant, ranges: { 4: [], 6: [] } }
      known.ranges[family].push(range)
      found.set(key, known)
    }
  }
  return [...found.values()].map(({ grant, ranges }) => ({ who: sayRanges(ranges), grant }))
}

/** The addresses that rules tell apart from others. */
export function rangesIn(family: Family, { admin, own, baseline }: TieredContent): readonly AddressRange[] {
  const tiers = [...admin, ...baseline].flatMap(({ rules }) => rules.flatMap(({ entries }) => entries))
  return [...tiers, ...entriesOf(own)].flatMap(({ blocks }) => blocks[family])
}

/** All addresses of a family, cut wherever a range begins or ends. */
export function cut(family: Family, ranges: readonly AddressRange[]): readonly AddressRange[] {
  const whole = wholeOf(family)
  const starts = new Set([whole.low, ...ranges.map(({ low }) => low), ...ranges.map(({ high }) => high + 1n)])
  const sorted = [...starts].filter((one) => one <= whole.high).sort((a, b) => (a < b ? -1 : 1))
  return sorted.map((low, index) => ({ low, high: (sorted[index + 1] ?? whole.high + 1n) - 1n }))
}

function entriesOf(content: Content): readonly Entry[] {
  return content.kind === 'closed' ? content.entries : []
}

/** `outside`, `outside IPv6`, `outside 203.0.113.0/25, fd00::/8`. */
export function sayRanges(ranges: Readonly<Record<Family, readonly AddressRange[]>>): string {
  const texts = families.map((family) => {
    const merged = mergeRanges(ranges[family])
    const [only] = merged
    const whole = wholeOf(family)
    if (only !== undefined && only.low === whole.low && only.high === whole.high) return [`IPv${family}`]
    return merged.map((range) => renderRange(family, range))
  })
  const all = texts.every(([first]) => first?.startsWith('IPv'))
  return all ? 'outside' : `outside ${texts.flat().join(', ')}`
}
