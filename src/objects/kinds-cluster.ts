import { bindingColumns, createdAtColumns, leaseColumns, storageClassColumns } from './columns-cluster.ts'
import { defineKind } from './define-kind.ts'
import type { KubeObject, Lease } from './types.ts'
import { validateLease } from './validate-cluster.ts'
import { type Binding, type Role, validateBinding, validateRole } from './validate-rbac.ts'

const rbac = 'rbac.authorization.k8s.io'

function defaultBinding({ roleRef, subjects = [] }: Binding): void {
  if (roleRef !== undefined) roleRef.apiGroup ||= rbac
  for (const subject of subjects) if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbac
}

/** Locks and heartbeats. */
export const Leases = defineKind<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  validate: validateLease,
  columns: leaseColumns,
})

/** Rights within a namespace. */
export const Roles = defineKind<Role>({
  group: rbac,
  kind: 'Role',
  plural: 'roles',
  name: 'segment',
  validate: validateRole,
  columns: createdAtColumns,
})

/** Who has a Role's rights. */
export const RoleBindings = defineKind<Binding>({
  group: rbac,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  name: 'segment',
  defaults: defaultBinding,
  validate: validateBinding,
  columns: bindingColumns,
})

/** Rights everywhere. */
export const ClusterRoles = defineKind<Role>({
  group: rbac,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  name: 'segment',
  validate: validateRole,
  columns: createdAtColumns,
})

/** Who has a ClusterRole's rights. */
export const ClusterRoleBindings = defineKind<Binding>({
  group: rbac,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  name: 'segment',
  defaults: defaultBinding,
  validate: validateBinding,
  columns: bindingColumns,
})

/** Sorts of storage; stored only. */
export const StorageClasses = defineKind<KubeObject & { reclaimPolicy?: string; volumeBindingMode?: string }>({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  defaults: (object) => {
    object.reclaimPolicy ??= 'Delete'
    object.volumeBindingMode ??= 'Immediate'
  },
  columns: storageClassColumns,
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
  columns: createdAtColumns,
})
