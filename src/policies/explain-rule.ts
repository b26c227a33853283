import { type Because, matches } from '../cluster/index.ts'
import { type Attempt, matchesPeer, matchesPort, type Party } from './judge.ts'
import type { Direction, Peer, PolicyRule, PortMatch } from './model.ts'
import { sayLabels, sayPeer } from './selector-id.ts'

/** One thing that was looked at. */
export interface PolicyStep {
  readonly kind: 'selects' | 'matches' | 'misses' | 'outcome'
  readonly says: string
  readonly because: Because
}

/** A rule of any kind of policy. */
export type AnyRule = Pick<PolicyRule, 'field' | 'peers' | 'ports'>

/** Whether a rule takes an attempt, in words: its peer and its ports, or why not. */
export function explainRule(
  object: string,
  name: string,
  rule: AnyRule,
  direction: Direction,
  attempt: Attempt,
): PolicyStep {
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
