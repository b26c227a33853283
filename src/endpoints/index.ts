export { hasSelectedEndpoints, isHeadless, type SliceFamily, sliceFamilies } from './address-types.ts'
export { type CompileOptions, compileEndpointSlices, isManagedSlice } from './compile.ts'
export {
  compileEndpoints,
  endpointsManagedByLabel,
  overCapacityAnnotation,
  sameEndpoints,
} from './compile-endpoints.ts'
export { type EndpointExplanation, type EndpointQuestion, type EndpointStep, explainEndpoint } from './explain.ts'
export type { SlicePlan } from './family-slices.ts'
export { PodIndex, SelectorIndex } from './label-index.ts'
export { compileMirroredSlices, isMirrored, type MirrorPlan, mirroringController } from './mirror.ts'
export {
  endpointHostname,
  hasEnded,
  isReady,
  isTerminating,
  mayBeEndpoint,
  podAddresses,
  sameAsEndpoint,
} from './pod-state.ts'
export { endpointPorts, findNamedPort, findTargetPort } from './ports.ts'
export { selectedPods, selects } from './select.ts'
export { type MissingNode, ServiceEndpoints, type SliceOptions } from './service-endpoints.ts'
export {
  headlessLabel,
  managedByLabel,
  sliceController,
  triggerTimeAnnotation,
  withTriggerTime,
} from './slice-object.ts'
export { StalenessTracker } from './staleness.ts'
export { TriggerTime } from './trigger-time.ts'
