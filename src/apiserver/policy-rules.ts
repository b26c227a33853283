import { matches } from '../cluster/index.ts'
import type { KubeObject, LabelSelector } from '../objects/index.ts'
import type { User } from './scope.ts'
import type { Reader } from './store.ts'

/** A rule of a Role or ClusterRole (rbac.authorization.k8s.io/v1). */
export interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

interface Subject {
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

interface Binding extends KubeObject {
  readonly subjects?: readonly Subject[]
  readonly roleRef: { readonly kind: string; readonly name: string }
}

/** A Role or ClusterRole. */
export interface Role extends KubeObject {
  readonly rules?: readonly PolicyRule[]
  readonly aggregationRule?: { readonly clusterRoleSelectors?: readonly LabelSelector[] }
}

/** The rules that a binding gives somebody, and the sentence that says which. */
export interface Grant {
  readonly rules: readonly PolicyRule[]
  readonly reason: string
}

const group = 'rbac.authorization.k8s.io'
/** Aggregated roles may gather aggregated roles; a circle ends here. */
const deepest = 5

/** What the user is granted in a namespace (and everywhere), or at the cluster scope alone. */
export function* grantsOf(reader: Reader, user: User, namespace: string | undefined): Generator<Grant> {
  for (const { value } of reader.range(`${group}/clusterrolebindings`, '')) {
    const grant = grantOf(reader, user, value as Binding, 'ClusterRoleBinding', undefined)
    if (grant !== undefined) yield grant
  }
  if (namespace === undefined) return
  for (const { value } of reader.range(`${group}/rolebindings`, `${namespace}/`)) {
    const grant = grantOf(reader, user, value as Binding, 'RoleBinding', namespace)
    if (grant !== undefined) yield grant
  }
}

function grantOf(
  reader: Reader,
  user: User,
  binding: Binding,
  kind: string,
  namespace: string | undefined,
): Grant | undefined {
  const subject = binding.subjects?.find((item) => isSubject(item, user, namespace))
  if (subject === undefined) return undefined
  const { name } = binding.metadata
  const where = namespace === undefined ? name : `${name}/${namespace}`
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? namespace}` : subject.name
  const role = `${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)}`
  const reason = `RBAC: allowed by ${kind} ${JSON.stringify(where)} of ${role} to ${subject.kind} ${JSON.stringify(who)}`
  return { rules: rulesOf(reader, binding.roleRef, namespace), reason }
}

function isSubject({ kind, name, namespace }: Subject, user: User, own: string | undefined): boolean {
  if (kind === 'User') return name === user.name
  if (kind === 'Group') return user.groups.includes(name)
  return kind === 'ServiceAccount' && user.name === `system:serviceaccount:${namespace ?? own}:${name}`
}

/** The rules of the role that a binding refers to; none when it is not there. */
export function rulesOf(
  reader: Reader,
  { kind, name }: Binding['roleRef'],
  namespace: string | undefined,
): readonly PolicyRule[] {
  if (kind === 'ClusterRole') return clusterRules(reader, name, 0)
  if (namespace === undefined) return []
  return (reader.find(`${group}/roles`, `${namespace}/${name}`)?.value as Role | undefined)?.rules ?? []
}

function clusterRules(reader: Reader, name: string, depth: number): readonly PolicyRule[] {
  const role = reader.find(`${group}/clusterroles`, name)?.value as Role | undefined
  const selectors = role?.aggregationRule?.clusterRoleSelectors
  if (role === undefined || depth > deepest) return []
  if (selectors === undefined) return role.rules ?? []
  const rules: PolicyRule[] = []
  for (const { value } of reader.range(`${group}/clusterroles`, '')) {
    const { labels = {}, name: other } = value.metadata
    if (other !== name && selectors.some((selector) => matches(selector, labels)))
      rules.push(...clusterRules(reader, other, depth + 1))
  }
  return rules
}
