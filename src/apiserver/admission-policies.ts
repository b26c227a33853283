import { type Attributes, type Failure, objectValue, resourcesMatch, variablesOf } from '../admission/index.ts'
import type { Decide } from '../cel/index.ts'
import { matches } from '../cluster/index.ts'
import { errors, type KubeObject } from '../objects/index.ts'
import type { BoundPolicy } from './admission-plan.ts'
import { reasonToAllow } from './authorization.ts'
import { Refusal } from './refusal.ts'
import type { Registry } from './registry.ts'
import { collectionOf, type User } from './scope.ts'
import type { Reader } from './store.ts'

/** Warnings and audit annotations that admission leaves behind. */
export interface Remarks {
  readonly warnings: string[]
  readonly annotations: Map<string, string>
}

/** Answers the questions of `authorizer` for a user. */
export function decider(reader: Reader, user: User): Decide {
  return (attempt, account) => reasonToAllow(reader, account === undefined ? user : accountUser(account), attempt)
}

function accountUser({ namespace, name }: { readonly namespace: string; readonly name: string }): User {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  return { name: `system:serviceaccount:${namespace}:${name}`, uid: '', groups, extra: {} }
}

/** Judges a write by ValidatingAdmissionPolicies; the first refusal of a binding with `Deny` is thrown. */
export function judge(
  policies: readonly BoundPolicy[],
  attributes: Attributes,
  registry: Registry,
  reader: Reader,
  remarks: Remarks,
): void {
  const find = (name: string) => reader.find('/namespaces', name)?.value
  let variables: Readonly<Record<string, unknown>> | undefined
  const audited: object[] = []
  for (const bound of policies) {
    const { policy, binding } = bound
    if (resourcesMatch(policy.spec.matchConstraints, attributes, find) === undefined) continue
    if (resourcesMatch(binding.spec.matchResources, attributes, find) === undefined) continue
    variables ??= variablesOf(attributes, decider(reader, attributes.user))
    const space = attributes.target.namespaced ? objectValue(find(attributes.namespace)) : null
    for (const failure of failuresOf(bound, attributes, variables, space, registry, reader, remarks))
      act(bound, failure, attributes, remarks, audited)
  }
  if (audited.length > 0)
    remarks.annotations.set('validation.policy.admission.k8s.io/validation_failure', JSON.stringify(audited))
}

function failuresOf(
  { policy, binding, judge }: BoundPolicy,
  attributes: Attributes,
  variables: Readonly<Record<string, unknown>>,
  space: unknown,
  registry: Registry,
  reader: Reader,
  remarks: Remarks,
): readonly Failure[] {
  const parameters = parametersOf(policy, binding, attributes, registry, reader)
  if (typeof parameters === 'string') {
    const strict = policy.spec.failurePolicy !== 'Ignore'
    return strict ? [{ message: parameters, reason: 'Invalid', expressionIndex: 0 }] : []
  }
  return parameters.flatMap((parameter) => {
    const verdict = judge(variables, objectValue(parameter), space)
    for (const [key, text] of Object.entries(verdict.annotations))
      remarks.annotations.set(`${policy.metadata.name}/${key}`, text)
    return verdict.failures
  })
}

/** The parameters to judge by, once for each; one undefined where the policy or binding wants none. A string: the policy cannot be used. */
function parametersOf(
  { spec: { paramKind } }: BoundPolicy['policy'],
  { spec: { paramRef } }: BoundPolicy['binding'],
  attributes: Attributes,
  registry: Registry,
  reader: Reader,
): readonly (KubeObject | undefined)[] | string {
  if (paramKind === undefined || paramRef === undefined) return [undefined]
  const slash = paramKind.apiVersion.indexOf('/')
  const group = slash === -1 ? '' : paramKind.apiVersion.slice(0, slash)
  const kind = registry
    .kindsOf(group, paramKind.apiVersion.slice(slash + 1))
    .find((item) => item.kind === paramKind.kind)
  if (kind === undefined)
    return `failed to configure policy: failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`
  const { name, selector, namespace = attributes.namespace, parameterNotFoundAction } = paramRef
  if (!kind.namespaced && paramRef.namespace)
    return 'failed to configure binding: cannot use namespaced paramRef with policy whose paramKind is cluster-scoped'
  if (kind.namespaced && namespace === '')
    return 'failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources'
  const prefix = kind.namespaced ? `${namespace}/` : ''
  const found =
    name !== undefined
      ? [reader.find(collectionOf(kind), prefix + name)?.value].filter((item) => item !== undefined)
      : [...reader.range(collectionOf(kind), prefix)]
          .map(({ value }) => value)
          .filter((item) => matches(selector ?? {}, item.metadata.labels ?? {}))
  if (found.length > 0) return found
  return parameterNotFoundAction === 'Deny'
    ? 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction'
    : []
}

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 }

function act(
  { policy, binding }: BoundPolicy,
  { message, reason, expressionIndex }: Failure,
  { target, name, object, oldObject }: Attributes,
  remarks: Remarks,
  audited: object[],
): void {
  const who = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`
  const actions = binding.spec.validationActions ?? []
  if (actions.includes('Audit')) {
    const place = { policy: policy.metadata.name, binding: binding.metadata.name, expressionIndex }
    audited.push({ message, ...place, validationActions: actions })
  }
  if (actions.includes('Warn')) remarks.warnings.push(`Validation failed for ${who}: ${message}`)
  if (!actions.includes('Deny')) return
  const resource = { group: target.group, plural: target.resource }
  const subject = name || (object ?? oldObject)?.metadata?.name || ''
  const text = `${who} denied request: ${message}`
  const status = errors.forbiddenBecause(resource, subject, text)
  const details = { ...status.details, causes: [{ message: text }] }
  throw new Refusal({ ...status, reason, code: codes[reason] ?? 422, details })
}
