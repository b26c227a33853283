import type { Address } from '../addr/index.ts'
import { type Because, type Labels, matches } from '../cluster/index.ts'
import { inRanges } from './address-ranges.ts'
import type {
  ClusterPolicyModel,
  Direction,
  NamedPort,
  Peer,
  PolicyModel,
  PolicyRule,
  PortMatch,
  Tier,
  Transport,
} from './model.ts'

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
  /** The labels of the node that has the address. */
  readonly node?: Labels
  /** Whether DNS has told the address for a name of `domainNames`; where nobody listens to DNS it has not. */
  isCalled?(name: string): boolean
}

/** A new connection after the choice of an endpoint: policies see the pod's address and port, never a Service's. */
export interface Attempt {
  readonly source: Party
  readonly destination: Party
  /** `icmp` stands for everything that has no ports. */
  readonly protocol: Transport | 'icmp'
  readonly port: number
  /** Whether it ends at the node of the pod that it is from: NetworkPolicies always let that pass. */
  readonly toOwnNode?: boolean
}

/** The policies that select a pod, by tier; those of a tier in the order in which they are asked. */
export interface PodPolicies {
  readonly admin: readonly ClusterPolicyModel[]
  readonly own: readonly PolicyModel[]
  readonly baseline: readonly ClusterPolicyModel[]
}

/** What the policies of one end say, and which audited ones would have denied it before that. `pass`: none decides. */
export type SideVerdict = { readonly audited: readonly string[]; readonly because: Because } & (
  | { readonly kind: 'pass' }
  | { readonly kind: 'allow'; readonly tier: Tier; readonly object: string; readonly field: string }
  /** `policies`: the one whose rule denies it, or every NetworkPolicy that shuts this direction of the pod. */
  | { readonly kind: 'deny'; readonly tier: Tier; readonly policies: readonly string[] }
)

/**
 * What the policies that select a pod say to a connection from it (egress) or to it (ingress): the admin tier, then NetworkPolicies, which
 * are final for a pod that they isolate, then the baseline tier. To its own node NetworkPolicies let a pod that they isolate pass. Audited policies are asked like the others and decide nothing.
 */
export function judgeSide(policies: PodPolicies, direction: Direction, attempt: Attempt): SideVerdict {
  const audited: string[] = []
  const admin = judgeTier(policies.admin, direction, attempt, audited)
  if (admin !== undefined) return { ...admin, audited }
  const own = attempt.toOwnNode === true ? undefined : judgeOwn(policies.own, direction, attempt, audited)
  if (own !== undefined) return { ...own, audited }
  const exempt = attempt.toOwnNode === true && findIsolating(policies.own, direction) !== undefined
  const baseline = exempt ? undefined : judgeTier(policies.baseline, direction, attempt, audited)
  if (baseline !== undefined) return { ...baseline, audited }
  const subject = direction === 'egress' ? attempt.source : attempt.destination
  const object = `pod/${subject.pod?.key ?? subject.address ?? ''}`
  return { kind: 'pass', because: { object, field: 'metadata.labels', value: '' }, audited }
}

type Decided = SideVerdict extends infer V ? (V extends { kind: 'allow' | 'deny' } ? Omit<V, 'audited'> : never) : never

/** The first rule that matches decides, unless it passes. */
function judgeTier(
  policies: readonly ClusterPolicyModel[],
  direction: Direction,
  attempt: Attempt,
  audited: string[],
): Decided | undefined {
  const peer = direction === 'egress' ? attempt.destination : attempt.source
  for (const { object, tier, audit, ...policy } of policies) {
    for (const rule of policy[direction]) {
      const found = matchRule(rule, peer, attempt)
      if (found === undefined) continue
      const { action, field } = rule
      if (audit) {
        if (action === 'deny') audited.push(object)
        break
      }
      const because = { object, ...found }
      if (action === 'pass') return undefined
      if (action === 'accept') return { kind: 'allow', tier, object, field, because }
      return { kind: 'deny', tier, policies: [object], because }
    }
  }
  return undefined
}

/** The first policy that isolates a pod in a direction, audited ones aside. */
export function findIsolating(policies: readonly PolicyModel[], direction: Direction): PolicyModel | undefined {
  return policies.find((one) => !one.audit && one[direction].kind === 'isolated')
}

/** One rule of one policy that matches is enough; a pod that some policy isolates and no rule serves is denied. */
function judgeOwn(
  policies: readonly PolicyModel[],
  direction: Direction,
  attempt: Attempt,
  audited: string[],
): Decided | undefined {
  const isolating = policies.filter((policy) => policy[direction].kind === 'isolated')
  const enforced = isolating.filter(({ audit }) => !audit)
  const [first] = enforced
  if (first === undefined) {
    // Beside a policy that is enforced, audited ones would deny nothing more.
    if (findAllowing(isolating, direction, attempt) === undefined)
      audited.push(...isolating.map(({ object }) => object))
    return undefined
  }
  const allowing = findAllowing(enforced, direction, attempt)
  if (allowing !== undefined) return { kind: 'allow', tier: 'networkpolicy', ...allowing }
  const isolation = first[direction]
  const rules = isolation.kind === 'isolated' ? isolation.rules.length : 0
  const because =
    rules === 0
      ? { ...isolation.because, object: first.object }
      : { object: first.object, field: `spec.${direction}`, value: rules === 1 ? '1 rule' : `${rules} rules` }
  return { kind: 'deny', tier: 'networkpolicy', policies: enforced.map(({ object }) => object), because }
}

function findAllowing(
  policies: readonly PolicyModel[],
  direction: Direction,
  attempt: Attempt,
): { readonly object: string; readonly field: string; readonly because: Because } | undefined {
  const peer = direction === 'egress' ? attempt.destination : attempt.source
  for (const policy of policies) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    for (const rule of isolation.rules) {
      const because = matchRule(rule, peer, attempt)
      const { object } = policy
      if (because !== undefined) return { object, field: rule.field, because: { object, ...because } }
    }
  }
  return undefined
}

function matchRule(
  rule: Pick<PolicyRule, 'field' | 'peers' | 'ports'>,
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
export function matchesPeer(peer: Peer, party: Party): boolean {
  const { address, pod, node } = party
  switch (peer.kind) {
    case 'nobody':
      return false
    case 'block':
      return address !== undefined && inRanges(peer.family, peer.ranges, address)
    case 'nodes':
      return pod === undefined && node !== undefined && matches(peer.nodes, node)
    case 'name':
      return party.isCalled?.(peer.name) ?? false
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
