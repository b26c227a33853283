export { type ApplyResult, applyManifests } from './apply.ts'
export { connect } from './connect.ts'

export * from './contract.ts'
export { type Discovery, openDiscovery } from './discovery.ts'

export { type Manifest, parseManifests, renderProblem } from './manifests.ts'
