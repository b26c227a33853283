import { keyOf } from '../cluster/index.ts'
import type { KubeObject, LabelSelector, NetworkPolicy } from '../objects/index.ts'
import { compilePeers, type NamespacedReader } from './compile-peer.ts'
import { compilePorts } from './compile-port.ts'
import type { Direction, Isolation, PolicyModel, PolicyRule } from './model.ts'
import type { Reader } from './reader.ts'
import { isReadable, selectorId } from './selector-id.ts'

type Rule = NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number] &
  NonNullable<NonNullable<NetworkPolicy['spec']>['egress']>[number]

/**
 * What a NetworkPolicy means (networking.k8s.io/v1). Total: what cannot be read allows nobody and becomes a finding, so that a
 * broken policy closes its own pods and no others.
 */
export function compilePolicy(policy: NetworkPolicy): PolicyModel {
  const key = keyOf(policy)
  const namespace = policy.metadata.namespace ?? 'default'
  const reader: NamespacedReader = { object: `networkpolicy/${key}`, namespace, findings: [] }
  const { object, findings } = reader
  const spec = policy.spec ?? {}
  const subject = compileSubject(reader, (spec.podSelector ?? {}) as LabelSelector)
  const types = policyTypes(reader, spec)
  const isolation = (direction: Direction, rules: readonly Rule[] | undefined): Isolation => {
    const { list, because } = types
    const word = direction === 'ingress' ? 'Ingress' : 'Egress'
    const reason = { object, ...because }
    if (list.includes(word)) {
      const compiled = (rules ?? []).map((rule, index) => compileRule(reader, direction, rule, index))
      return { kind: 'isolated', rules: compiled, because: reason }
    }
    if ((rules ?? []).length > 0) {
      findings.push({
        code: 'RulesWithoutType',
        object,
        field: `spec.${direction}`,
        says: `spec.policyTypes (${list.join(', ')}) lacks ${word}, so the ${direction} rules mean nothing`,
        try: `add ${word} to spec.policyTypes, or remove spec.${direction}`,
      })
    }
    return { kind: 'untouched', because: reason }
  }
  const ingress = isolation('ingress', spec.ingress as Rule[] | undefined)
  const egress = isolation('egress', spec.egress as Rule[] | undefined)
  return { key, namespace, object, subject, audit: isAudited(reader, policy.metadata), ingress, egress, findings }
}

/** On a policy: judge and tell, but drop nothing. */
export const auditAnnotation = 'plumb.network/audit'

/** Whether the annotation asks for it; any value but `true` leaves the policy enforced. */
export function isAudited({ object, findings }: Reader, { annotations }: KubeObject['metadata']): boolean {
  const value = annotations?.[auditAnnotation]
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  findings.push({
    code: 'UnknownAuditValue',
    object,
    field: `metadata.annotations[${auditAnnotation}]`,
    says: `"${value}" is neither "true" nor "false"; the policy is enforced`,
    try: 'write "true", in quotes',
  })
  return false
}

function compileSubject({ object, findings }: Reader, selector: LabelSelector): PolicyModel['subject'] {
  if (isReadable(selector)) return { selector, id: selectorId(selector) }
  // Whom the author meant is unknown, so the policy holds for every pod that it could have meant.
  findings.push({
    code: 'BrokenSelector',
    object,
    field: 'spec.podSelector',
    says: 'the selector has an operator that does not exist; the policy is taken for every pod of its namespace',
    try: 'use In, NotIn, Exists or DoesNotExist',
  })
  return { selector: {}, id: selectorId({}) }
}

/** Upstream's default: always Ingress, and Egress when there are egress rules. */
function policyTypes(
  { object, findings }: Reader,
  spec: NonNullable<NetworkPolicy['spec']>,
): { readonly list: readonly string[]; readonly because: { field: string; value: string } } {
  const given = spec.policyTypes ?? []
  if (given.length === 0) {
    const list = (spec.egress?.length ?? 0) > 0 ? ['Ingress', 'Egress'] : ['Ingress']
    return { list, because: { field: 'spec.policyTypes', value: `${list.join(', ')} (by default)` } }
  }
  for (const [index, type] of given.entries()) {
    if (type === 'Ingress' || type === 'Egress') continue
    findings.push({
      code: 'UnknownPolicyType',
      object,
      field: `spec.policyTypes[${index}]`,
      says: `"${type}" is no policy type`,
      try: 'write Ingress or Egress',
    })
  }
  return { list: given, because: { field: 'spec.policyTypes', value: given.join(', ') } }
}

function compileRule(reader: NamespacedReader, direction: Direction, rule: Rule, index: number): PolicyRule {
  const field = `spec.${direction}[${index}]`
  const side = direction === 'ingress' ? 'from' : 'to'
  return {
    field,
    peers: compilePeers(reader, `${field}.${side}`, rule[side]),
    ports: compilePorts(reader, `${field}.ports`, rule.ports),
  }
}
