import { findPrefix, prefixFamily } from '../addr/index.ts'
import type { ClusterNetworkPolicy, ClusterPolicyPeer, ClusterPolicyRule, LabelSelector } from '../objects/index.ts'
import { isAudited } from './compile.ts'
import { rangeOf } from './compile-peer.ts'
import { compileProtocols } from './compile-protocol.ts'
import { findDomainName } from './domain-name.ts'
import type { ClusterPolicyModel, Direction, Peer, TierRule } from './model.ts'
import { nobody, type Reader } from './reader.ts'
import { isReadable, selectorId } from './selector-id.ts'

/** A ClusterNetworkPolicy, or what an older kind means as one. */
export type ClusterPolicySource = Pick<ClusterNetworkPolicy, 'metadata' | 'spec'>

/**
 * What a ClusterNetworkPolicy means (policy.networking.k8s.io/v1alpha2). Total: a rule that cannot be read accepts nothing, and denies
 * everything where it would deny or pass, as the API asks of implementations that meet a field which they do not know.
 */
export function compileClusterPolicy(source: ClusterPolicySource, kind = 'clusternetworkpolicy'): ClusterPolicyModel {
  const reader: Reader = { object: `${kind}/${source.metadata.name}`, findings: [] }
  const { spec } = source
  const rules = (direction: Direction): readonly TierRule[] =>
    (spec[direction] ?? []).map((rule, index) => compileRule(reader, direction, rule, index))
  return {
    object: reader.object,
    tier: compileTier(reader, spec.tier),
    priority: Number.isInteger(spec.priority) ? spec.priority : 0,
    subject: compileSubject(reader, spec.subject ?? {}),
    audit: isAudited(reader, source.metadata),
    ingress: rules('ingress'),
    egress: rules('egress'),
    findings: reader.findings,
  }
}

function compileTier({ object, findings }: Reader, tier: string): ClusterPolicyModel['tier'] {
  if (tier === 'Admin' || tier === 'Baseline') return tier === 'Admin' ? 'admin' : 'baseline'
  const says = `"${tier}" is no tier; the policy is taken for one of Admin`
  findings.push({ code: 'UnknownTier', object, field: 'spec.tier', says, try: 'write Admin or Baseline' })
  return 'admin'
}

function compileSubject(
  { object, findings }: Reader,
  { namespaces, pods }: ClusterPolicySource['spec']['subject'],
): ClusterPolicyModel['subject'] {
  const chosen = namespaces ?? pods?.namespaceSelector
  const some = namespaces === undefined ? (pods?.podSelector ?? {}) : {}
  if (chosen === undefined || (namespaces !== undefined && pods !== undefined)) {
    const says = 'the subject needs exactly one of namespaces and pods; the policy applies to no pod'
    findings.push({
      code: 'BrokenSubject',
      object,
      field: 'spec.subject',
      says,
      try: 'write namespaces: {} for all pods',
    })
    return undefined
  }
  if (!isReadable(chosen) || !isReadable(some)) {
    const says = 'the selector has an operator that does not exist; the policy applies to no pod'
    const remedy = 'use In, NotIn, Exists or DoesNotExist'
    findings.push({ code: 'BrokenSelector', object, field: 'spec.subject', says, try: remedy })
    return undefined
  }
  return { namespaces: chosen, pods: some, id: `{${selectorId(chosen)}}/${selectorId(some)}` }
}

const actions: Readonly<Record<string, TierRule['action']>> = { Accept: 'accept', Deny: 'deny', Pass: 'pass' }

function compileRule(reader: Reader, direction: Direction, rule: ClusterPolicyRule, index: number): TierRule {
  const field = `spec.${direction}[${index}]`
  const side = direction === 'ingress' ? 'from' : 'to'
  const action = Object.hasOwn(actions, rule.action) ? actions[rule.action] : undefined
  const { object, findings } = reader
  const name = rule.name ?? ''
  if (action === undefined) {
    const says = `"${rule.action}" is no action; the rule denies everything`
    findings.push({ code: 'UnknownAction', object, field: `${field}.action`, says, try: 'write Accept, Deny or Pass' })
    return { ...denyAll, field, name }
  }
  const given = rule[side] ?? []
  const peers =
    given.length === 0
      ? [nobody(reader, `${field}.${side}`, 'EmptyPeer', 'a rule needs a peer', 'write namespaces: {} for all pods')]
      : given.flatMap((peer, which) => compilePeer(reader, `${field}.${side}[${which}]`, direction, action, peer))
  const ports = compileProtocols(reader, `${field}.protocols`, rule.protocols)
  const broken = peers.some(({ kind }) => kind === 'nobody') || ports === undefined
  if (broken && action !== 'accept') return { ...denyAll, field, name }
  return { field, name, action, peers: { kind: 'some', peers }, ports: ports ?? { kind: 'some', ports: [] } }
}

const denyAll = { action: 'deny', peers: { kind: 'any' }, ports: { kind: 'any' } } as const

function compilePeer(
  reader: Reader,
  field: string,
  direction: Direction,
  action: TierRule['action'],
  peer: ClusterPolicyPeer,
): Peer[] {
  const { object } = reader
  const kinds = direction === 'ingress' ? ingressPeers : egressPeers
  const [kind, ...more] = kinds.filter((one) => peer[one] !== undefined)
  if (kind === undefined || more.length > 0) {
    const says = kind === undefined ? 'the peer has no field that is known' : 'the peer has more than one field'
    return [nobody(reader, field, 'UnknownPeer', says, `write exactly one of ${kinds.join(', ')}`)]
  }
  const at = `${field}.${kind}`
  if (kind === 'networks') return compileNetworks(reader, at, peer.networks ?? [])
  if (kind === 'domainNames') return compileDomainNames(reader, at, action, peer.domainNames ?? [])
  const chosen = kind === 'pods' ? (peer.pods?.namespaceSelector ?? {}) : (peer[kind] ?? {})
  const pods: LabelSelector = kind === 'pods' ? (peer.pods?.podSelector ?? {}) : {}
  if (!isReadable(chosen) || !isReadable(pods)) {
    const says = 'the selector has an operator that does not exist'
    return [nobody(reader, at, 'BrokenSelector', says, 'use In, NotIn, Exists or DoesNotExist')]
  }
  if (kind === 'nodes') {
    const id = selectorId(chosen)
    return [{ kind: 'nodes', nodes: chosen, id, because: { object, field: at, value: id || '{}' } }]
  }
  const id = `{${selectorId(chosen)}}/${selectorId(pods)}`
  const because = { object, field: at, value: id }
  return [{ kind: 'pods', namespaces: { kind: 'selected', selector: chosen }, pods, id, because }]
}

const ingressPeers = ['namespaces', 'pods'] as const
const egressPeers = ['namespaces', 'pods', 'nodes', 'networks', 'domainNames'] as const

function compileNetworks(reader: Reader, field: string, networks: readonly string[]): Peer[] {
  return networks.map((text, index): Peer => {
    const prefix = findPrefix(String(text), true)
    const at = `${field}[${index}]`
    if (prefix === undefined) {
      return nobody(reader, at, 'BrokenPrefix', `"${text}" is not an IP prefix`, 'write it as 10.0.0.0/8 or fd00::/64')
    }
    const because = { object: reader.object, field: at, value: text }
    return { kind: 'block', family: prefixFamily(prefix), ranges: [rangeOf(prefix)], because }
  })
}

function compileDomainNames(
  reader: Reader,
  field: string,
  action: TierRule['action'],
  names: readonly string[],
): Peer[] {
  if (action !== 'accept') {
    const says = 'domainNames are for Accept alone'
    return [nobody(reader, field, 'DomainNamesNotAccept', says, 'accept the names, and deny the rest after them')]
  }
  return names.map((text, index): Peer => {
    const name = findDomainName(String(text))
    const at = `${field}[${index}]`
    if (name === undefined) {
      const remedy = 'write it as example.com, or *.example.com for what is below it'
      return nobody(reader, at, 'BrokenDomainName', `"${text}" is not a domain name`, remedy)
    }
    return { kind: 'name', name, because: { object: reader.object, field: at, value: name } }
  })
}
