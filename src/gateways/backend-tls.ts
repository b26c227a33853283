import { keyOf, type ObjectKey } from '../cluster/index.ts'
import { type BackendTLSPolicy, gatewayGroup } from './gateway-api.ts'
import { compare } from './ingress-class.ts'
import { mergeBundles, resolveAuthority } from './listener-tls.ts'
import type { Authority, BackendTls } from './model.ts'
import type { Lookup, Sources } from './sources.ts'
import { type Verdict, verdict } from './verdict.ts'

/** A BackendTLSPolicy, judged. Of two for one port of a Service the older has it. */
export interface PolicyState {
  readonly policy: BackendTLSPolicy
  accepted: Verdict
  readonly resolved: Verdict
  /** What it asks for; undefined when it cannot be followed, and then nothing may be sent. */
  readonly tls?: Omit<BackendTls, 'clientCertificate'>
  readonly bundle?: Authority
}

/** The policies by `namespace/service` and `namespace/service:portName`; the one for a port wins over the one for all. */
export interface Policies {
  readonly states: readonly PolicyState[]
  readonly byTarget: Lookup<PolicyState>
  /** All that name a Service, by its key, those that lost included. */
  readonly byService: Lookup<readonly PolicyState[]>
}

export function compilePolicies(policies: readonly BackendTLSPolicy[], sources: Sources): Policies {
  const states: PolicyState[] = []
  const byTarget = new Map<string, PolicyState>()
  const byService = new Map<ObjectKey, PolicyState[]>()
  const oldestFirst = [...policies].sort(
    (a, b) =>
      compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b)),
  )
  for (const policy of oldestFirst) {
    const state = judge(policy, sources)
    states.push(state)
    const namespace = policy.metadata.namespace ?? ''
    for (const { group, kind, name, sectionName } of policy.spec?.targetRefs ?? []) {
      if ((group ?? '') !== '' || kind !== 'Service') continue
      const target = sectionName ? `${namespace}/${name}:${sectionName}` : `${namespace}/${name}`
      const key = `${namespace}/${name}`
      byService.set(key, [...(byService.get(key) ?? []), state])
      const older = byTarget.get(target)
      if (older === undefined) byTarget.set(target, state)
      else if (state.accepted.ok)
        state.accepted = verdict(false, 'Conflicted', `${target} has backendtlspolicy/${keyOf(older.policy)} already`)
    }
  }
  return { states, byTarget, byService }
}

function judge(policy: BackendTLSPolicy, sources: Sources): PolicyState {
  const {
    caCertificateRefs = [],
    wellKnownCACertificates,
    hostname = '',
    subjectAltNames = [],
  } = policy.spec?.validation ?? {}
  const namespace = policy.metadata.namespace ?? ''
  const bundles: string[] = []
  let resolved = verdict(true, 'ResolvedRefs', 'all references are resolved')
  for (const reference of caCertificateRefs) {
    // The API allows names in the same namespace only.
    const { group = '', kind, name } = reference
    const from = { group: gatewayGroup, kind: 'BackendTLSPolicy', namespace }
    const read = resolveAuthority({ group, ...(kind && { kind }), name }, from, sources)
    if ('pem' in read) bundles.push(read.pem)
    else {
      const reason = read.reason === 'InvalidCACertificateKind' ? 'InvalidKind' : 'InvalidCACertificateRef'
      resolved = verdict(false, reason, read.message)
    }
  }
  const usable = bundles.length > 0 || (caCertificateRefs.length === 0 && wellKnownCACertificates === 'System')
  const accepted = usable
    ? verdict(true, 'Accepted', 'connections to the Service are made by it')
    : verdict(false, 'NoValidCACertificate', 'no certificate of an authority can be used')
  const id = `backends:${namespace}:${policy.metadata.name}`
  const names = subjectAltNames.map(({ type, hostname: host = '', uri = '' }) =>
    type === 'URI' ? ({ kind: 'uri', value: uri } as const) : ({ kind: 'host', value: host.toLowerCase() } as const),
  )
  const authority = bundles.length > 0 ? id : 'system'
  return {
    policy,
    accepted,
    resolved,
    ...(usable && { tls: { host: hostname.toLowerCase(), authority, names } }),
    ...(bundles.length > 0 && { bundle: { id, pem: mergeBundles(bundles) } }),
  }
}
