export { hasSelectedEndpoints } from './address-types.ts'
export { compileEndpointSlices, isManagedSlice } from './compile.ts'
export {
  compileEndpoints,
  endpointsManagedByLabel,
  overCapacityAnnotation,
  sameEndpoints,
} from './compile-endpoints.ts'
export { type EndpointStep, explainEndpoint } from './explain.ts'
export type { SlicePlan } from './family-slices.ts'
export { PodIndex, SelectorIndex } from './label-index.ts'
export { compileMirroredSlices, mirroringController } from './mirror.ts'
export { sameAsEndpoint } from './pod-state.ts'

export { selects } from './select.ts'
export { ServiceEndpoints } from './service-endpoints.ts'
export {
  managedByLabel,
  withTriggerTime,
} from './slice-object.ts'
export { StalenessTracker } from './staleness.ts'
export { TriggerTime } from './trigger-time.ts'
export { ZoneCapacity } from './zone-capacity.ts'
