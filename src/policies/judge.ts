import type { Address } from '../addr/index.ts'
import { type Because, type Labels, matches } from '../cluster/index.ts'
import { inRanges } from './address-ranges.ts'
import type { Direction, NamedPort, Peer, PolicyModel, PolicyRule, PortMatch, Transport } from './model.ts'

/** One end of a connection as policies see it. Without `pod` it is a node, a pod of a node's network or somebody outside. */
export interface Party {
  readonly address: Address | undefined
  readonly pod?: {
    readonly key: string
    readonly namespace: string
    readonly namespaceLabels: Labels
    readonly labels: Labels
    readonly ports: readonly NamedPort[]
  }
}

/** A new connection after the choice of an endpoint: policies see the pod's address and port, never a Service's. */
export interface Attempt {
  readonly source: Party
  readonly destination: Party
  /** `icmp` stands for everything that has no ports. */
  readonly protocol: Transport | 'icmp'
  readonly port: number
}

/** What the policies of one end say. `pass`: none isolates the pod in that direction, but audited ones that would deny may. */
export type SideVerdict =
  | { readonly kind: 'pass'; readonly because: Because; readonly audited: readonly PolicyModel[] }
  | { readonly kind: 'allow'; readonly policy: PolicyModel; readonly rule: PolicyRule; readonly because: Because }
  /** `isolating`: every policy that shuts this direction of the pod. */
  | { readonly kind: 'deny'; readonly because: Because; readonly isolating: readonly PolicyModel[] }

/**
 * What the policies that select a pod say to a connection from it (egress) or to it (ingress). One rule of one policy that
 * matches is enough; a pod that some policy isolates and no rule serves is denied. Audited policies are judged only where no other
 * isolates the pod: beside one that does, they would deny nothing more.
 */
export function judgeSide(policies: readonly PolicyModel[], direction: Direction, attempt: Attempt): SideVerdict {
  const subject = direction === 'egress' ? attempt.source : attempt.destination
  const isolating = policies.filter((policy) => policy[direction].kind === 'isolated')
  const enforced = isolating.filter(({ audit }) => !audit)
  const [first] = enforced
  if (first === undefined) {
    const object = `pod/${subject.pod?.key ?? subject.address ?? ''}`
    const audited = findAllowing(isolating, direction, attempt) === undefined ? isolating : []
    return { kind: 'pass', because: { object, field: 'metadata.labels', value: '' }, audited }
  }
  const allowing = findAllowing(enforced, direction, attempt)
  if (allowing !== undefined) return { kind: 'allow', ...allowing }
  const isolation = first[direction]
  const { field, value } = isolation.because
  const empty = isolation.kind === 'isolated' && isolation.rules.length === 0
  const because = { object: first.object, field: empty ? field : `spec.${direction}`, value }
  return { kind: 'deny', because, isolating: enforced }
}

function findAllowing(
  policies: readonly PolicyModel[],
  direction: Direction,
  attempt: Attempt,
): Omit<Extract<SideVerdict, { kind: 'allow' }>, 'kind'> | undefined {
  const peer = direction === 'egress' ? attempt.destination : attempt.source
  for (const policy of policies) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    for (const rule of isolation.rules) {
      const because = matchRule(rule, peer, attempt)
      if (because !== undefined) return { policy, rule, because: { object: policy.object, ...because } }
    }
  }
  return undefined
}

function matchRule(
  rule: PolicyRule,
  peer: Party,
  attempt: Attempt,
): { readonly field: string; readonly value: string } | undefined {
  if (rule.ports.kind === 'some' && !rule.ports.ports.some((port) => matchesPort(port, attempt))) return undefined
  if (rule.peers.kind === 'any') return { field: rule.field, value: 'any peer' }
  const matching = rule.peers.peers.find((one) => matchesPeer(one, peer))
  return matching && { field: matching.because.field, value: matching.because.value }
}

/** Whether a connection's protocol and destination port are the ones meant; a name is what the destination pod calls it. */
export function matchesPort(match: PortMatch, { protocol, port, destination }: Attempt): boolean {
  if (match.protocol !== protocol) return false
  if (match.kind === 'range') return port >= match.first && port <= match.last
  const { name } = match
  return (
    destination.pod?.ports.some((one) => one.name === name && one.protocol === protocol && one.port === port) ?? false
  )
}

/** Whether the other end of a connection is meant by a peer. */
export function matchesPeer(peer: Peer, { address, pod }: Party): boolean {
  switch (peer.kind) {
    case 'nobody':
      return false
    case 'block':
      return address !== undefined && inRanges(peer.family, peer.ranges, address)
    case 'pods': {
      if (pod === undefined) return false
      const { namespaces } = peer
      if (namespaces.kind === 'one' && namespaces.namespace !== pod.namespace) return false
      if (namespaces.kind === 'selected' && !matches(namespaces.selector, pod.namespaceLabels)) return false
      return matches(peer.pods, pod.labels)
    }
    default:
      return peer satisfies never
  }
}
