import type { FieldError } from './contract.ts'
import { complaints, invalid, notSupported, required } from './field-error.ts'
import { dns1123Subdomain } from './names.ts'
import type { KubeObject } from './types.ts'

interface Rule {
  verbs?: string[]
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
}

interface Subject {
  kind: string
  apiGroup?: string
  name?: string
  namespace?: string
}

/** A Role or a ClusterRole. */
export interface Role extends KubeObject {
  rules?: Rule[]
}

/** A RoleBinding or a ClusterRoleBinding. */
export interface Binding extends KubeObject {
  roleRef?: { apiGroup?: string; kind?: string; name?: string }
  subjects?: Subject[]
}

const group = 'rbac.authorization.k8s.io'

/** Upstream's `ValidateRole` and `ValidateClusterRole`. */
export function validateRole({ kind, rules = [] }: Role): FieldError[] {
  return rules.flatMap((rule, index) => validateRule(rule, `rules[${index}]`, kind === 'Role'))
}

function validateRule(rule: Rule, path: string, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const errors = verbs.length === 0 ? [required(`${path}.verbs`, 'verbs must contain at least one value')] : []
  const urls = (message: string) => errors.push(invalid(`${path}.nonResourceURLs`, nonResourceURLs, message))
  if (nonResourceURLs.length > 0) {
    if (namespaced) urls('namespaced rules cannot apply to non-resource URLs')
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      urls('rules cannot apply to both regular resources and non-resource URLs')
    return errors
  }
  if (apiGroups.length === 0)
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  if (resources.length === 0)
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  return errors
}

/** Upstream's `ValidateRoleBinding` and `ValidateClusterRoleBinding`; that a role stays is seen to by who admits bindings. */
export function validateBinding(binding: Binding): FieldError[] {
  const { roleRef = {}, subjects = [] } = binding
  const namespaced = binding.kind === 'RoleBinding'
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const errors: FieldError[] = []
  if (roleRef.apiGroup !== group) errors.push(notSupported('roleRef.apiGroup', roleRef.apiGroup ?? '', [group]))
  if (!kinds.includes(roleRef.kind ?? '')) errors.push(notSupported('roleRef.kind', roleRef.kind ?? '', kinds))
  if (!roleRef.name) errors.push(required('roleRef.name'))
  errors.push(...subjects.flatMap((subject, index) => validateSubject(subject, `subjects[${index}]`, namespaced)))
  return errors
}

function validateSubject(subject: Subject, path: string, namespaced: boolean): FieldError[] {
  const { kind, name = '', apiGroup = '', namespace } = subject
  const errors = name === '' ? [required(`${path}.name`)] : []
  switch (kind) {
    case 'ServiceAccount':
      if (name !== '') errors.push(...complaints(`${path}.name`, name, dns1123Subdomain(name)))
      if (apiGroup !== '') errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']))
      if (!namespaced && !namespace) errors.push(required(`${path}.namespace`))
      return errors
    case 'User':
    case 'Group':
      if (apiGroup !== group) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [group]))
      return errors
    default:
      return [...errors, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]
  }
}
