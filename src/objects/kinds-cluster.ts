import { defineKind } from './define-kind.ts'

const rbac = 'rbac.authorization.k8s.io'

/** Locks and heartbeats. */
export const Leases = defineKind({ group: 'coordination.k8s.io', kind: 'Lease', plural: 'leases' })

/** Rights within a namespace; stored only. */
export const Roles = defineKind({ group: rbac, kind: 'Role', plural: 'roles', name: 'segment' })

/** Who has a Role's rights; stored only. */
export const RoleBindings = defineKind({ group: rbac, kind: 'RoleBinding', plural: 'rolebindings', name: 'segment' })

/** Rights everywhere; stored only. */
export const ClusterRoles = defineKind({
  group: rbac,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  name: 'segment',
})

/** Who has a ClusterRole's rights; stored only. */
export const ClusterRoleBindings = defineKind({
  group: rbac,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  name: 'segment',
})

/** Sorts of storage; stored only. */
export const StorageClasses = defineKind({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
})

/** Definitions of custom kinds. */
export const CustomResourceDefinitions = defineKind({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  subresources: ['status'],
  strategy: { status: true, generation: true },
})
