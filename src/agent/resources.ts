import type { Resource } from '../client/index.ts'

// The registry of kinds would bring validation and schemas of every kind into a process that only follows five.
export const services: Resource = { group: '', version: 'v1', plural: 'services', namespaced: true, kind: 'Service' }
export const nodes: Resource = { group: '', version: 'v1', plural: 'nodes', namespaced: false, kind: 'Node' }
export const pods: Resource = { group: '', version: 'v1', plural: 'pods', namespaced: true, kind: 'Pod' }
export const endpointSlices: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  namespaced: true,
  kind: 'EndpointSlice',
}
