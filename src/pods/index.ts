export {
  gateways,
  nodeLinkName,
  parseAlias,
  renderAlias,
  routeProtocol,
  type Wiring,
  wire,
} from './attachment.ts'
export { compilePodNetwork, nodeAddresses, nodePrefixes, tunnelledPrefixes } from './compile.ts'
export { explainPath, type PathStep, type Tunnel } from './explain.ts'
export { lowerPodNetwork, type PodTable } from './lower.ts'
export type { Attachment, NodeRoute, Overlay, PodNetwork } from './model.ts'
export { nextHop, tunnelLink } from './overlay.ts'
export { AddressPool } from './pool.ts'
