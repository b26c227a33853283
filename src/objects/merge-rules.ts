/** How strategic merge patch and server-side apply treat one list or map field, where that is not "replace it whole". */
export interface MergeRule {
  /** Strategic merge patch: `merge`, `retainKeys`, or both. */
  readonly patchStrategy?: readonly ('merge' | 'retainKeys')[]
  /** Strategic merge patch: the one field that tells items apart; absent for lists of scalars. */
  readonly patchMergeKey?: string
  /** Server-side apply; `atomic` when absent. */
  readonly listType?: 'map' | 'set'
  /** Server-side apply: the fields that together tell items apart. */
  readonly listMapKeys?: readonly string[]
}

const merge = ['merge'] as const
const byKey = (patchMergeKey: string, ...more: string[]): MergeRule => ({
  patchStrategy: merge,
  patchMergeKey,
  listType: 'map',
  listMapKeys: [patchMergeKey, ...more],
})
const byNameRetaining: MergeRule = { ...byKey('name'), patchStrategy: ['merge', 'retainKeys'] }
const primitives: MergeRule = { patchStrategy: merge, listType: 'set' }
const conditions = byKey('type')

/** Keyed by type and field; the tags of the Go types in k8s.io/api. Note that a merge patch keys Service ports by `port`, apply by port and protocol. */
const rules: Readonly<Record<string, MergeRule>> = {
  'meta.v1.ObjectMeta.ownerReferences': byKey('uid'),
  'meta.v1.ObjectMeta.finalizers': primitives,
  'core.v1.PodSpec.volumes': byNameRetaining,
  'core.v1.PodSpec.initContainers': byKey('name'),
  'core.v1.PodSpec.containers': byKey('name'),
  'core.v1.PodSpec.ephemeralContainers': byKey('name'),
  'core.v1.PodSpec.imagePullSecrets': byKey('name'),
  'core.v1.PodSpec.hostAliases': byKey('ip'),
  'core.v1.PodSpec.topologySpreadConstraints': byKey('topologyKey', 'whenUnsatisfiable'),
  'core.v1.PodSpec.resourceClaims': byNameRetaining,
  'core.v1.PodSpec.schedulingGates': byKey('name'),
  ...Object.fromEntries(
    ['Container', 'EphemeralContainer'].flatMap((type) => [
      [`core.v1.${type}.ports`, byKey('containerPort', 'protocol')],
      [`core.v1.${type}.env`, byKey('name')],
      [`core.v1.${type}.volumeMounts`, byKey('mountPath')],
      [`core.v1.${type}.volumeDevices`, byKey('devicePath')],
    ]),
  ),
  'core.v1.ResourceRequirements.claims': { listType: 'map', listMapKeys: ['name'] },
  'core.v1.PodStatus.conditions': conditions,
  'core.v1.PodStatus.podIPs': byKey('ip'),
  'core.v1.PodStatus.hostIPs': { patchStrategy: merge, patchMergeKey: 'ip' },
  'core.v1.PodStatus.resourceClaimStatuses': byNameRetaining,
  'core.v1.ServiceSpec.ports': byKey('port', 'protocol'),
  'core.v1.ServiceStatus.conditions': conditions,
  'core.v1.NodeSpec.podCIDRs': primitives,
  'core.v1.NodeStatus.conditions': conditions,
  'core.v1.NodeStatus.addresses': conditions,
  'core.v1.NamespaceStatus.conditions': conditions,
  'core.v1.ServiceAccount.secrets': byKey('name'),
  'core.v1.PersistentVolumeClaimStatus.conditions': conditions,
  'discovery.v1.Endpoint.addresses': { listType: 'set' },
  'apps.v1.DeploymentSpec.strategy': { patchStrategy: ['retainKeys'] },
  'apps.v1.DeploymentStatus.conditions': conditions,
  'apps.v1.ReplicaSetStatus.conditions': conditions,
  'apps.v1.StatefulSetStatus.conditions': conditions,
  'apps.v1.DaemonSetStatus.conditions': conditions,
  'batch.v1.JobStatus.conditions': { patchStrategy: merge, patchMergeKey: 'type' },
  'autoscaling.v2.HorizontalPodAutoscalerStatus.conditions': conditions,
  'policy.v1.PodDisruptionBudgetStatus.conditions': conditions,
  'networking.v1.ServiceCIDRStatus.conditions': conditions,
  ...Object.fromEntries(
    ['MutatingWebhook', 'ValidatingWebhook'].flatMap((type) => [
      [`admissionregistration.v1.${type}Configuration.webhooks`, byKey('name')],
      [`admissionregistration.v1.${type}.matchConditions`, byKey('name')],
    ]),
  ),
  'admissionregistration.v1.ValidatingAdmissionPolicySpec.matchConditions': byKey('name'),
  'admissionregistration.v1.ValidatingAdmissionPolicySpec.variables': byKey('name'),
  'admissionregistration.v1.ValidatingAdmissionPolicyStatus.conditions': { listType: 'map', listMapKeys: ['type'] },
  'admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec.validationActions': { listType: 'set' },
  'apiextensions.v1.CustomResourceDefinitionStatus.conditions': { listType: 'map', listMapKeys: ['type'] },
}

const atomicStructs = new Set([
  'meta.v1.LabelSelector',
  'meta.v1.OwnerReference',
  'core.v1.ObjectReference',
  'core.v1.LocalObjectReference',
  'core.v1.TypedLocalObjectReference',
  'core.v1.ConfigMapKeySelector',
  'core.v1.SecretKeySelector',
  'core.v1.FileKeySelector',
  'core.v1.ObjectFieldSelector',
  'core.v1.ResourceFieldSelector',
  'core.v1.SecretReference',
  'core.v1.NodeSelector',
  'core.v1.NodeSelectorTerm',
  'core.v1.ScopeSelector',
  'core.v1.ScopedResourceSelectorRequirement',
  'core.v1.EndpointPort',
  'core.v1.EndpointAddress',
  'discovery.v1.EndpointPort',
  'admissionregistration.v1.NamedRuleWithOperations',
  'admissionregistration.v1.ParamKind',
  'admissionregistration.v1.ParamRef',
  'autoscaling.v1.CrossVersionObjectReference',
  'autoscaling.v2.CrossVersionObjectReference',
  'rbac.v1.RoleRef',
  'rbac.v1.Subject',
  'storage.v1.TopologySelectorTerm',
])

const atomicMaps = new Set(['core.v1.ServiceSpec.selector', 'core.v1.PodSpec.nodeSelector'])

/** The rule of a field, by type key and property; undefined means: lists are replaced whole, maps are merged by key. */
export function findMergeRule(type: string, property: string): MergeRule | undefined {
  return rules[`${type}.${property}`]
}

/** Whether server-side apply owns values of this struct type, or this map field, as one piece. */
export function isAtomic(type: string, property?: string): boolean {
  return property === undefined ? atomicStructs.has(type) : atomicMaps.has(`${type}.${property}`)
}
