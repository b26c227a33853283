import type { Address } from '../addr/index.ts'
import { type Because, keyOf, matches, type Snapshot } from '../cluster/index.ts'
import type { NetworkPolicy, Pod } from '../objects/index.ts'
import { clusterModelsIn } from './cluster-models.ts'
import { compilePolicy } from './compile.ts'
import {
  type Attempt,
  judgeSide,
  matchesPeer,
  matchesPort,
  type Party,
  type PodPolicies,
  type SideVerdict,
} from './judge.ts'
import { verdictElement } from './lower-chain.ts'
import { namespaceLabels } from './membership.ts'
import type {
  ClusterPolicyModel,
  Direction,
  Peer,
  PolicyModel,
  PolicyRule,
  PortMatch,
  Tier,
  TierRule,
  Transport,
} from './model.ts'
import { compareOrder, selectsPod } from './policy-index.ts'
import { namedPorts, policyNode } from './profile.ts'
import { sayLabels, sayPeer } from './selector-id.ts'

/** A connection after the choice of an endpoint. */
export interface PolicyQuestion {
  readonly source: Address
  readonly destination: Address
  readonly protocol: Transport | 'icmp'
  readonly port: number
}

export interface PolicyStep {
  readonly kind: 'selects' | 'matches' | 'misses' | 'outcome'
  readonly says: string
  readonly because: Because
}

/** What the policies of one end say, each rule with its reason. */
export interface SideAnswer {
  readonly direction: Direction
  readonly address: Address
  readonly pod: string
  readonly node: string | undefined
  readonly steps: readonly PolicyStep[]
  readonly verdict: SideVerdict
  /** What the map of this direction holds for the address where the policies are in the kernel. */
  readonly element: string
}

export interface PoliciesAnswer {
  /** Egress of the source, then ingress of the destination, as far as they are pods. */
  readonly sides: readonly SideAnswer[]
  /** The side that denies, if one does. */
  readonly denied: SideAnswer | undefined
}

/** What the NetworkPolicies of both ends say to a new connection, with each policy and rule that was looked at, and why. */
export function explainPolicies(snapshot: Snapshot, question: PolicyQuestion): PoliciesAnswer {
  const { source, destination, protocol, port } = question
  const attempt: Attempt = {
    source: partyOf(snapshot, source),
    destination: partyOf(snapshot, destination),
    protocol,
    port,
  }
  const sides: SideAnswer[] = []
  for (const [address, direction] of [
    [source, 'egress'],
    [destination, 'ingress'],
  ] as const) {
    const pod = snapshot.findPod(address)
    if (pod === undefined) continue
    sides.push(explainSide(policiesFor(snapshot, pod), pod, address, direction, attempt))
  }
  // A pod that reaches itself through a Service is not stopped: the packet is its own.
  const denied = source === destination ? undefined : sides.find(({ verdict }) => verdict.kind === 'deny')
  return { sides, denied }
}

/** The models of the policies that select a pod: NetworkPolicies in order of their names, the others as they are asked. */
export function policiesFor(snapshot: Snapshot, { metadata }: Pod): PodPolicies {
  const { namespace = 'default', labels = {} } = metadata
  const own: PolicyModel[] = []
  for (const policy of snapshot.policies.values()) {
    if (policy.metadata.namespace !== metadata.namespace) continue
    const model = modelOf(policy)
    if (matches(model.subject.selector, labels)) own.push(model)
  }
  const around = namespaceLabels(namespace, snapshot.namespaces.get(namespace)?.metadata.labels)
  const cluster = [...clusterModelsIn(snapshot)].filter((model) => selectsPod(model, around, labels)).sort(compareOrder)
  return {
    admin: cluster.filter(({ tier }) => tier === 'admin'),
    own: own.sort((a, b) => (a.key < b.key ? -1 : 1)),
    baseline: cluster.filter(({ tier }) => tier === 'baseline'),
  }
}

const models = new WeakMap<NetworkPolicy, PolicyModel>()

/** Objects of a Snapshot are never changed, so their meaning is compiled once. */
function modelOf(policy: NetworkPolicy): PolicyModel {
  let model = models.get(policy)
  if (model === undefined) {
    model = compilePolicy(policy)
    models.set(policy, model)
  }
  return model
}

/** An address as policies see it: the pod that has it, or nobody of the cluster. */
export function partyOf(snapshot: Snapshot, address: Address): Party {
  const pod = snapshot.findPod(address)
  if (pod !== undefined) return partyOfPod(snapshot, pod, address)
  for (const one of snapshot.nodes.values()) {
    const { addresses, labels } = policyNode(one)
    if (addresses.includes(address)) return { address, node: labels }
  }
  return { address }
}

export function partyOfPod(snapshot: Snapshot, pod: Pod, address: Address | undefined): Party {
  const namespace = pod.metadata.namespace ?? 'default'
  return {
    address,
    pod: {
      key: keyOf(pod),
      namespace,
      namespaceLabels: namespaceLabels(namespace, snapshot.namespaces.get(namespace)?.metadata.labels),
      labels: pod.metadata.labels ?? {},
      ports: namedPorts(pod),
    },
  }
}

function explainSide(
  policies: PodPolicies,
  pod: Pod,
  address: Address,
  direction: Direction,
  attempt: Attempt,
): SideAnswer {
  const verdict = judgeSide(policies, direction, attempt)
  const key = keyOf(pod)
  const tierOf = verdict.kind === 'pass' ? undefined : verdict.tier
  const steps = explainTier(policies.admin, key, direction, attempt)
  // What comes after the tier that decided is not asked.
  if (tierOf !== 'admin') steps.push(...explainOwn(policies.own, key, direction, attempt))
  if (tierOf === 'baseline' || tierOf === undefined) {
    steps.push(...explainTier(policies.baseline, key, direction, attempt))
  }
  const outcome = conclude(verdict, key, direction, steps)
  steps.push({ kind: 'outcome', ...outcome })
  const blamed: SideVerdict = verdict.kind === 'deny' ? { ...verdict, because: outcome.because } : verdict
  const element = verdictElement(policies, direction, namedPorts(pod))
  return { direction, address, pod: key, node: pod.spec.nodeName, steps, verdict: blamed, element }
}

function explainOwn(
  policies: readonly PolicyModel[],
  pod: string,
  direction: Direction,
  attempt: Attempt,
): PolicyStep[] {
  const steps: PolicyStep[] = []
  for (const policy of policies) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    steps.push({
      kind: 'selects',
      says: `${policy.object} ${policy.audit ? 'is audited and would isolate' : 'isolates'} pod/${pod} for ${direction} (podSelector ${sayLabels(policy.subject.selector)})`,
      because: isolation.because,
    })
    if (isolation.rules.length === 0) {
      const says = `${policy.object} has no ${direction} rule: it allows nothing`
      steps.push({ kind: 'misses', says, because: isolation.because })
    }
    for (const rule of isolation.rules) {
      steps.push(explainRule(policy.object, `${policy.object} ${rule.field}`, rule, direction, attempt))
    }
  }
  return steps
}

/** Rules up to the one that decides for the tier, or passes on to the next. */
function explainTier(
  policies: readonly ClusterPolicyModel[],
  pod: string,
  direction: Direction,
  attempt: Attempt,
): PolicyStep[] {
  const steps: PolicyStep[] = []
  for (const policy of policies) {
    const { object, priority, audit } = policy
    if (policy[direction].length === 0) continue
    const says = `${object} (${tierWords[policy.tier]}, priority ${priority}${audit ? ', audited' : ''}) selects pod/${pod}`
    steps.push({ kind: 'selects', says, because: { object, field: 'spec.subject', value: policy.subject?.id ?? '' } })
    for (const rule of policy[direction]) {
      const step = explainRule(object, `${object} ${sayRule(rule)}`, rule, direction, attempt)
      steps.push(step)
      if (step.kind !== 'matches') continue
      if (!audit) return steps
      break
    }
  }
  return steps
}

const tierWords: Readonly<Record<Tier, string>> = {
  admin: 'Admin',
  networkpolicy: 'NetworkPolicy',
  baseline: 'Baseline',
}

/** `spec.egress[0] "no databases" (Deny)` */
function sayRule({ field, name, action }: TierRule): string {
  const word = `${action[0]?.toUpperCase()}${action.slice(1)}`
  return `${field} ${name === '' ? '' : `"${name}" `}(${word})`
}

function conclude(
  verdict: SideVerdict,
  pod: string,
  direction: Direction,
  steps: readonly PolicyStep[],
): { says: string; because: Because } {
  const { audited } = verdict
  const audit = audited.length === 0 ? '' : `; ${audited.join(', ')} would deny it for ${direction}, and only audits`
  switch (verdict.kind) {
    case 'pass': {
      if (audited.length === 0)
        return { says: `no policy isolates pod/${pod} for ${direction}`, because: verdict.because }
      const because = steps.find(({ says }) => audited.some((one) => says.startsWith(`${one} `)))?.because
      return { says: `${audit.slice(2)}: it passes`, because: because ?? verdict.because }
    }
    case 'allow':
      return { says: `${verdict.object} ${verdict.field} allows it${audit}`, because: verdict.because }
    case 'deny': {
      const { policies, tier } = verdict
      const names = policies.join(', ')
      if (tier !== 'networkpolicy') {
        const says = `${names} ${verdict.because.field} denies it for ${direction} of pod/${pod} (tier ${tierWords[tier]})`
        return { says, because: verdict.because }
      }
      // The rule that came nearest is the one to read: its peer matches and its port does not.
      const near = steps.find(({ kind, says }) => kind === 'misses' && says.includes('but not the port'))
      const says = `${names} ${policies.length === 1 ? 'isolates' : 'isolate'} pod/${pod} for ${direction} and no rule allows it`
      return { says, because: near?.because ?? verdict.because }
    }
    default:
      return verdict satisfies never
  }
}

type AnyRule = Pick<PolicyRule, 'field' | 'peers' | 'ports'>

function explainRule(object: string, name: string, rule: AnyRule, direction: Direction, attempt: Attempt): PolicyStep {
  const peer = direction === 'egress' ? attempt.destination : attempt.source
  const side = rule.peers.kind === 'any' ? 'any' : rule.peers.peers.find((one) => matchesPeer(one, peer))
  const portFits = rule.ports.kind === 'any' || rule.ports.ports.some((one) => matchesPort(one, attempt))
  if (side !== undefined && portFits) {
    const who = side === 'any' ? 'any peer' : sayOnePeer(side)
    const because = side === 'any' ? { object, field: rule.field, value: 'any peer' } : side.because
    return { kind: 'matches', says: `${name} matches: ${who}, ${sayPorts(rule)}`, because }
  }
  const here = `${attempt.protocol === 'icmp' ? 'ICMP' : `${attempt.port}/${attempt.protocol}`}`
  if (side !== undefined) {
    const says = `${name} matches the peer, but not the port: ${here} is not ${sayPorts(rule)}`
    return { kind: 'misses', says, because: { object, field: `${rule.field}.ports`, value: sayPorts(rule) } }
  }
  const peers = rule.peers.kind === 'any' ? [] : rule.peers.peers
  const whys = peers.slice(0, 3).map((one) => `${sayOnePeer(one)} (${whyNot(one, peer)})`)
  const more = peers.length > 3 ? ` and ${peers.length - 3} more` : ''
  const says = `${name} does not match ${sayParty(peer)}: it is for ${whys.join('; ')}${more}`
  const field = `${rule.field}.${direction === 'ingress' ? 'from' : 'to'}`
  return { kind: 'misses', says, because: { object, field, value: peers.map(sayOnePeer).join('; ') } }
}

function sayParty({ address, pod }: Party): string {
  return pod === undefined ? (address ?? 'an unknown address') : `pod/${pod.key}`
}

function whyNot(peer: Peer, { address, pod }: Party): string {
  if (peer.kind === 'nobody') return peer.because.value
  if (peer.kind === 'block') {
    const family = address?.includes(':') ? 6 : 4
    if (address === undefined) return 'the address is not known'
    return family === peer.family ? `${address} is not in it` : `${address} is IPv${family}`
  }
  if (peer.kind === 'nodes') return `${address ?? pod?.key} is no node of these labels`
  if (peer.kind === 'name') return `no answer of the cluster’s DNS is known to have told ${address ?? pod?.key} for it`
  if (pod === undefined) return `${address} is no pod`
  const { namespaces, pods } = peer
  if (namespaces.kind === 'one' && namespaces.namespace !== pod.namespace) return `it is in ${pod.namespace}`
  if (namespaces.kind === 'selected' && !matches(namespaces.selector, pod.namespaceLabels)) {
    return `namespace ${pod.namespace} has other labels`
  }
  const labels = Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`)
  return matches(pods, pod.labels) ? 'it matches' : `its labels are ${labels.join(',') || 'none'}`
}

function sayOnePeer(peer: Peer): string {
  switch (peer.kind) {
    case 'pods':
      return sayPeer(peer)
    case 'nodes':
      return `nodes ${sayLabels(peer.nodes)}`
    case 'block':
    case 'name':
      return peer.because.value
    case 'nobody':
      return 'nobody'
    default:
      return peer satisfies never
  }
}

function sayPorts({ ports }: AnyRule): string {
  if (ports.kind === 'any') return 'any port'
  return ports.ports.length === 0 ? 'no port' : ports.ports.map(sayPort).join(', ')
}

function sayPort(port: PortMatch): string {
  if (port.kind === 'named') return `"${port.name}"/${port.protocol}`
  if (port.first === 0) return `any ${port.protocol} port`
  return port.first === port.last ? `${port.first}/${port.protocol}` : `${port.first}-${port.last}/${port.protocol}`
}
