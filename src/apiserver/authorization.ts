import { errors, type KubeObject } from '../objects/index.ts'
import { grantsOf, type PolicyRule } from './policy-rules.ts'
import { Refusal } from './refusal.ts'
import type { User } from './scope.ts'
import type { Reader } from './store.ts'

/** What somebody wants to do: a verb on a resource, or on a path that is none. */
export type Attempt =
  | {
      readonly verb: string
      readonly group: string
      /** With its subresource: `pods/log`. */
      readonly resource: string
      readonly namespace: string | undefined
      readonly name: string | undefined
      /** The field selector of a list or watch, as it was written. */
      readonly fields?: string | undefined
    }
  | { readonly verb: string; readonly path: string }

/** The group that may do everything, whatever the roles say. */
export const masters = 'system:masters'

/** Why the user may do it; undefined when nothing allows it (RBAC only ever allows). */
export function reasonToAllow(reader: Reader, user: User, attempt: Attempt): string | undefined {
  if (user.groups.includes(masters)) return ''
  const namespace = 'path' in attempt ? undefined : attempt.namespace
  for (const { rules, reason } of grantsOf(reader, user, namespace))
    if (rules.some((rule) => ruleAllows(rule, attempt))) return reason
  return undefined
}

/** Whether one rule allows the attempt. */
export function ruleAllows(rule: PolicyRule, attempt: Attempt): boolean {
  if (!has(rule.verbs, attempt.verb)) return false
  if ('path' in attempt) return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, attempt.path))
  const { group, resource, name } = attempt
  if (!has(rule.apiGroups, group)) return false
  const subresource = resource.split('/')[1]
  const named = (rule.resources ?? []).some(
    (item) => item === '*' || item === resource || (subresource !== undefined && item === `*/${subresource}`),
  )
  if (!named) return false
  const names = rule.resourceNames ?? []
  return names.length === 0 || (name !== undefined && names.includes(name))
}

function has(list: readonly string[] | undefined, value: string): boolean {
  return list?.some((item) => item === '*' || item === value) ?? false
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))
}

interface RoleLike extends KubeObject {
  readonly rules?: readonly PolicyRule[]
}

/**
 * Nobody grants what they do not have: the rules of a role that is written must be the writer's own, unless they may
 * `escalate` (upstream's privilege escalation prevention).
 */
export function refuseEscalation(
  reader: Reader,
  user: User,
  target: { readonly group: string; readonly plural: string },
  object: KubeObject,
): void {
  if (user.groups.includes(masters)) return
  const { name, namespace } = object.metadata
  const own = { verb: 'escalate', group: target.group, resource: target.plural, namespace, name }
  if (reasonToAllow(reader, user, own) !== undefined) return
  refuseMissing(reader, user, target, object, (object as RoleLike).rules ?? [])
}

/** Refuses the rules that the user does not hold in the object's namespace. */
export function refuseMissing(
  reader: Reader,
  user: User,
  target: { readonly group: string; readonly plural: string },
  { metadata }: KubeObject,
  rules: readonly PolicyRule[],
): void {
  const missing = rules.filter((rule) =>
    attemptsOf(rule, metadata.namespace).some((attempt) => reasonToAllow(reader, user, attempt) === undefined),
  )
  if (missing.length === 0) return
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ')
  const list = missing.map(renderRule).join('\n')
  const cause = `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${list}`
  throw new Refusal(errors.forbiddenBecause(target, metadata.name, cause))
}

function attemptsOf(rule: PolicyRule, namespace: string | undefined): Attempt[] {
  const names = rule.resourceNames?.length ? rule.resourceNames : [undefined]
  return rule.verbs.flatMap((verb): Attempt[] => [
    ...(rule.nonResourceURLs ?? []).map((path) => ({ verb, path })),
    ...(rule.apiGroups ?? []).flatMap((group) =>
      (rule.resources ?? []).flatMap((resource) => names.map((name) => ({ verb, group, resource, namespace, name }))),
    ),
  ])
}

function renderRule({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const part = (name: string, list: readonly string[] | undefined) =>
    list?.length ? [`${name}:[${list.map((item) => JSON.stringify(item)).join(', ')}]`] : []
  const parts = [
    ...part('APIGroups', apiGroups),
    ...part('Resources', resources),
    ...part('ResourceNames', resourceNames),
    ...part('NonResourceURLs', nonResourceURLs),
    ...part('Verbs', verbs),
  ]
  return `{${parts.join(', ')}}`
}
