import { type Family, familyOf, findAddress } from '../addr/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'

/** The address type of a slice that a controller makes; FQDN slices are never made. */
export type SliceFamily = Exclude<EndpointSlice['addressType'], 'FQDN'>

/** The IP family of a slice family. */
export function familyNumber(type: SliceFamily): Family {
  return type === 'IPv4' ? 4 : 6
}

/**
 * The families for which a Service has slices: `spec.ipFamilies`; without it the family of the ClusterIP, and both for a headless
 * Service (upstream getAddressTypesForService).
 */
export function sliceFamilies(service: Service): readonly SliceFamily[] {
  const families = [...new Set(service.spec.ipFamilies ?? [])].filter((name) => name === 'IPv4' || name === 'IPv6')
  if (families.length > 0) return families
  const address = isHeadless(service) ? undefined : findAddress(service.spec.clusterIP ?? '')
  if (address === undefined) return ['IPv4', 'IPv6']
  return [familyOf(address) === 4 ? 'IPv4' : 'IPv6']
}

/** Whether the Service has no ClusterIP: `None`, or none yet. */
export function isHeadless(service: Service): boolean {
  const { clusterIP } = service.spec
  return clusterIP === undefined || clusterIP === '' || clusterIP === 'None'
}

/** Whether the endpoints of the Service are made from its selector; without one, users or other controllers own them. */
export function hasSelectedEndpoints(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0
}
