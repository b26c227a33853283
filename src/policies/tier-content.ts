import type { Family } from '../addr/index.ts'
import { mergeRanges } from './address-ranges.ts'
import { anyPort, type Content, compose, type Entry, unite } from './content.ts'
import type { PodPolicies } from './judge.ts'
import type { AddressRange, ClusterPolicyModel, Direction, NamedPort, NodesPeer, PodsPeer, TierRule } from './model.ts'

/** What a pod may do in one direction, tier by tier. */
export interface TieredContent {
  readonly admin: readonly TierPolicy[]
  readonly own: Content
  /** Empty where NetworkPolicies isolate the pod: they are final. */
  readonly baseline: readonly TierPolicy[]
}

/** The rules of one cluster-wide policy in one direction. An audited one tells what it would deny and decides nothing. */
export interface TierPolicy {
  readonly object: string
  readonly mode: 'enforce' | 'audit'
  readonly rules: readonly TierEntry[]
}

/** One rule; several entries where it has several kinds of ports. */
export interface TierEntry {
  readonly action: TierRule['action']
  readonly entries: readonly Entry[]
}

/** Puts together what the policies that select a pod mean. `own` are the pod's named ports, which ingress rules speak of. */
export function composeTiers(
  { admin, own, baseline }: PodPolicies,
  direction: Direction,
  ports: readonly NamedPort[],
): TieredContent {
  const content = compose(own, direction, ports)
  const tier = (models: readonly ClusterPolicyModel[]) => models.flatMap((one) => composeTier(one, direction, ports))
  return { admin: tier(admin), own: content, baseline: isFinal(content) ? [] : tier(baseline) }
}

/** Whether NetworkPolicies have the last word. */
function isFinal(content: Content): boolean {
  return content.kind === 'open' ? content.isolated : content.mode === 'enforce'
}

function composeTier(model: ClusterPolicyModel, direction: Direction, own: readonly NamedPort[]): TierPolicy[] {
  const rules = model[direction].map((rule) => composeRule(model, rule, direction === 'ingress' ? own : undefined))
  if (rules.length === 0) return []
  return [{ object: model.object, mode: model.audit ? 'audit' : 'enforce', rules }]
}

function composeRule(
  { object }: ClusterPolicyModel,
  { action, name, peers, ports }: TierRule,
  own: readonly NamedPort[] | undefined,
): TierEntry {
  const pods = new Map<string, PodsPeer>()
  const nodes = new Map<string, NodesPeer>()
  const names = new Set<string>()
  const blocks: Record<Family, AddressRange[]> = { 4: [], 6: [] }
  for (const peer of peers.kind === 'any' ? [] : peers.peers) {
    if (peer.kind === 'pods') pods.set(peer.id, peer)
    else if (peer.kind === 'nodes') nodes.set(peer.id, peer)
    else if (peer.kind === 'name') names.add(peer.name)
    else if (peer.kind === 'block') blocks[peer.family].push(...peer.ranges)
  }
  const some = ports.kind === 'any' ? [anyPort] : unite(ports.ports, own)
  const entries = some.map(
    (one): Entry => ({
      ports: one,
      anybody: peers.kind === 'any',
      pods: [...pods.values()],
      blocks: { 4: mergeRanges(blocks[4]), 6: mergeRanges(blocks[6]) },
      nodes: [...nodes.values()],
      names: [...names],
      policies: [name === '' ? object : `${object} ${name}`],
    }),
  )
  return { action, entries }
}
