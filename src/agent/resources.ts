import type { Resource } from '../client/index.ts'

// The registry of kinds would bring validation and schemas of every kind into a process that only follows these.
export const services: Resource = { group: '', version: 'v1', plural: 'services', namespaced: true, kind: 'Service' }
export const nodes: Resource = { group: '', version: 'v1', plural: 'nodes', namespaced: false, kind: 'Node' }
export const pods: Resource = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' }
export const namespaces: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  namespaced: false,
  kind: 'Namespace',
}
export const networkPolicies: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  namespaced: true,
  kind: 'NetworkPolicy',
}
export const egresses: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'egresses',
  namespaced: false,
  kind: 'Egress',
}
export const endpointSlices: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  namespaced: true,
  kind: 'EndpointSlice',
}
export const serviceCidrs: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  namespaced: false,
  kind: 'ServiceCIDR',
}
export const clusterNetworkPolicies: Resource = {
  group: 'policy.networking.k8s.io',
  version: 'v1alpha2',
  plural: 'clusternetworkpolicies',
  namespaced: false,
  kind: 'ClusterNetworkPolicy',
}
export const adminNetworkPolicies: Resource = {
  group: 'policy.networking.k8s.io',
  version: 'v1alpha1',
  plural: 'adminnetworkpolicies',
  namespaced: false,
  kind: 'AdminNetworkPolicy',
}
export const baselineAdminNetworkPolicies: Resource = {
  group: 'policy.networking.k8s.io',
  version: 'v1alpha1',
  plural: 'baselineadminnetworkpolicies',
  namespaced: false,
  kind: 'BaselineAdminNetworkPolicy',
}
