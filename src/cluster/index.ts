export { type AddressClaim, drainAnnotation, movedMark, type OwnershipSource } from './address-claim.ts'
export { ChangeFeed, type Changes, emptyChanges, mergeChanges } from './change-feed.ts'
export type { Collection, Collections } from './collections.ts'
export { bearsExternalTraffic, refusesExternalTraffic } from './external-traffic.ts'
export type { Because, Finding } from './finding.ts'
export { internalAddresses } from './internal-addresses.ts'
export { keyOf, type ObjectKey, splitKey } from './key.ts'
export { type Labels, type MapSelector, matches, matchesAny } from './selector.ts'
export { LiveSnapshot, type Snapshot, serviceNameLabel, snapshotOf } from './snapshot.ts'
export {
  defaultVxlan,
  isOnSegment,
  nodesBySegment,
  renderUnderlay,
  type Underlay,
  underlayAnnotation,
  underlayOf,
} from './underlay.ts'
