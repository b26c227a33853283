import type { Address } from '../addr/index.ts'
import { type Because, keyOf, matches, type Snapshot } from '../cluster/index.ts'
import type { NetworkPolicy, Pod } from '../objects/index.ts'
import { compilePolicy } from './compile.ts'
import { type Attempt, judgeSide, matchesPeer, matchesPort, type Party, type SideVerdict } from './judge.ts'
import { namespaceLabels } from './membership.ts'
import type { Direction, Peer, PolicyModel, PolicyRule, PortMatch, Transport } from './model.ts'
import { namedPorts } from './profile.ts'
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

/** The models of the policies that select a pod, in order of their names. */
export function policiesFor(snapshot: Snapshot, pod: Pod): readonly PolicyModel[] {
  const found: PolicyModel[] = []
  for (const policy of snapshot.policies.values()) {
    if (policy.metadata.namespace !== pod.metadata.namespace) continue
    const model = modelOf(policy)
    if (matches(model.subject.selector, pod.metadata.labels)) found.push(model)
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1))
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
  return pod === undefined ? { address } : partyOfPod(snapshot, pod, address)
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
  policies: readonly PolicyModel[],
  pod: Pod,
  address: Address,
  direction: Direction,
  attempt: Attempt,
): SideAnswer {
  const verdict = judgeSide(policies, direction, attempt)
  const key = keyOf(pod)
  const steps: PolicyStep[] = []
  const isolating = policies.filter((policy) => policy[direction].kind === 'isolated')
  for (const policy of isolating) {
    const isolation = policy[direction]
    if (isolation.kind === 'untouched') continue
    steps.push({
      kind: 'selects',
      says: `${policy.object} ${policy.audit ? 'is audited and would isolate' : 'isolates'} pod/${key} for ${direction} (podSelector ${sayLabels(policy.subject.selector)})`,
      because: isolation.because,
    })
    if (isolation.rules.length === 0) {
      const says = `${policy.object} has no ${direction} rule: it allows nothing`
      steps.push({ kind: 'misses', says, because: isolation.because })
    }
    for (const rule of isolation.rules) steps.push(explainRule(policy, rule, direction, attempt))
  }
  const outcome = conclude(verdict, key, direction, steps)
  steps.push({ kind: 'outcome', ...outcome })
  const blamed: SideVerdict = verdict.kind === 'deny' ? { ...verdict, because: outcome.because } : verdict
  return { direction, address, pod: key, node: pod.spec.nodeName, steps, verdict: blamed }
}

function conclude(
  verdict: SideVerdict,
  pod: string,
  direction: Direction,
  steps: readonly PolicyStep[],
): { says: string; because: Because } {
  switch (verdict.kind) {
    case 'pass': {
      const [first] = verdict.audited
      if (first !== undefined) {
        const names = verdict.audited.map(({ object }) => object).join(', ')
        const says = `${names} would deny it for ${direction}, and only audits: it passes`
        return { says, because: first[direction].because }
      }
      return { says: `no policy isolates pod/${pod} for ${direction}`, because: verdict.because }
    }
    case 'allow':
      return { says: `${verdict.policy.object} ${verdict.rule.field} allows it`, because: verdict.because }
    case 'deny': {
      // The rule that came nearest is the one to read: its peer matches and its port does not.
      const near = steps.find(({ kind, says }) => kind === 'misses' && says.includes('but not the port'))
      const { isolating } = verdict
      const names = isolating.map(({ object }) => object).join(', ')
      const says = `${names} ${isolating.length === 1 ? 'isolates' : 'isolate'} pod/${pod} for ${direction} and no rule allows it`
      return { says, because: near?.because ?? verdict.because }
    }
    default:
      return verdict satisfies never
  }
}

function explainRule(policy: PolicyModel, rule: PolicyRule, direction: Direction, attempt: Attempt): PolicyStep {
  const peer = direction === 'egress' ? attempt.destination : attempt.source
  const { object } = policy
  const side = rule.peers.kind === 'any' ? 'any' : rule.peers.peers.find((one) => matchesPeer(one, peer))
  const portFits = rule.ports.kind === 'any' || rule.ports.ports.some((one) => matchesPort(one, attempt))
  const name = `${object} ${rule.field}`
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
  return peer.kind === 'pods' ? sayPeer(peer) : peer.kind === 'block' ? peer.because.value : 'nobody'
}

function sayPorts({ ports }: PolicyRule): string {
  if (ports.kind === 'any') return 'any port'
  return ports.ports.length === 0 ? 'no port' : ports.ports.map(sayPort).join(', ')
}

function sayPort(port: PortMatch): string {
  if (port.kind === 'named') return `"${port.name}"/${port.protocol}`
  if (port.first === 0) return `any ${port.protocol} port`
  return port.first === port.last ? `${port.first}/${port.protocol}` : `${port.first}-${port.last}/${port.protocol}`
}
