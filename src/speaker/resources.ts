import type { Resource } from '../client/index.ts'

// The registry of kinds would bring validation and schemas of every kind into a process that only follows these.
const ours = { group: 'plumb.network', version: 'v1alpha1', namespaced: false }
export const ipAddressPools: Resource = { ...ours, plural: 'ipaddresspools', kind: 'IPAddressPool' }
export const bgpAdvertisements: Resource = { ...ours, plural: 'bgpadvertisements', kind: 'BGPAdvertisement' }
export const l2Advertisements: Resource = { ...ours, plural: 'l2advertisements', kind: 'L2Advertisement' }
export const addressMoves: Resource = { ...ours, plural: 'addressmoves', kind: 'AddressMove' }
export const serviceL2Statuses: Resource = {
  ...ours,
  plural: 'servicel2statuses',
  namespaced: true,
  kind: 'ServiceL2Status',
}
export const secrets: Resource = { group: '', version: 'v1', plural: 'secrets', namespaced: true, kind: 'Secret' }
export const events: Resource = { group: '', version: 'v1', plural: 'events', namespaced: true, kind: 'Event' }
export const leases: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  namespaced: true,
  kind: 'Lease',
}

/** Where the speakers' Secret and their Lease are, and what both are called. */
export const speakerObjects = { namespace: 'kube-system', name: 'plumb-speaker' } as const
