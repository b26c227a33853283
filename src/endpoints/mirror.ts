import { familyOf, findAddress } from '../addr/index.ts'
import { serviceNameLabel } from '../cluster/index.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Endpoints, Service } from '../objects/index.ts'
import type { SliceFamily } from './address-types.ts'
import type { SlicePlan } from './family-slices.ts'
import { endpointKey, sameEndpoint } from './pod-endpoint.ts'
import { portsKey } from './ports.ts'
import type { SubsetAddress } from './repack.ts'
import {
  inPlaceOf,
  isOwnedBy,
  managedByLabel,
  newSliceMetadata,
  sameMap,
  triggerTimeAnnotation,
} from './slice-object.ts'

/** The owner of slices that mirror Endpoints objects. */
export const mirroringController = 'endpointslicemirroring-controller.k8s.io'

const notMirrored = [triggerTimeAnnotation, 'kubectl.kubernetes.io/last-applied-configuration']
const maxAddressesPerSubset = 1000

export interface MirrorPlan extends SlicePlan {
  /** Addresses that are no IP address, and those beyond 1000 in a subset. */
  readonly skipped: { readonly invalid: number; readonly tooMany: number }
}

interface Group {
  readonly family: SliceFamily
  readonly ports: readonly EndpointPort[]
  readonly endpoints: Map<string, Endpoint>
}

/**
 * Whether Endpoints are mirrored into slices: they exist, belong to a Service without selector, and neither the skip-mirror label
 * nor the leader-election annotation is on them.
 */
export function isMirrored(endpoints: Endpoints | undefined, service: Service | undefined): endpoints is Endpoints {
  if (endpoints === undefined || service === undefined) return false
  if (Object.keys(service.spec.selector ?? {}).length > 0) return false
  const { labels, annotations } = endpoints.metadata
  if (labels?.['endpointslice.kubernetes.io/skip-mirror'] === 'true') return false
  return annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined
}

/**
 * What to write so that slices mirror an Endpoints object: one slice per family and port list. Endpoints that are not mirrored lose
 * the slices they have. `existing` may hold other controllers' slices; they are passed over.
 */
export function compileMirroredSlices(
  endpoints: Endpoints | undefined,
  service: Service | undefined,
  existing: Iterable<EndpointSlice>,
): MirrorPlan {
  const own = [...existing].filter(
    ({ metadata }) => metadata.labels?.[managedByLabel] === mirroringController && !metadata.deletionTimestamp,
  )
  const nothing = { invalid: 0, tooMany: 0 }
  if (!isMirrored(endpoints, service)) return { create: [], update: [], delete: own, skipped: nothing }
  const { groups, skipped } = groupsOf(endpoints)
  const create: EndpointSlice[] = []
  const update: EndpointSlice[] = []
  const spare = new Set(own)
  for (const [key, group] of groups) {
    const old = own.find(
      (slice) => spare.has(slice) && isOwnedBy(slice, endpoints) && groupKey(slice.addressType, slice.ports) === key,
    )
    const slice = mirror(endpoints, group)
    if (old === undefined) create.push(slice)
    else {
      spare.delete(old)
      if (!says(old, slice)) update.push(inPlaceOf(old, slice))
    }
  }
  for (const old of spare) {
    // A port list that changed keeps its slice's name.
    const at = create.findIndex((slice) => slice.addressType === old.addressType && isOwnedBy(old, endpoints))
    if (at < 0) continue
    update.push(inPlaceOf(old, create[at]!))
    create.splice(at, 1)
    spare.delete(old)
  }
  return { create, update, delete: [...spare], skipped }
}

function groupsOf(endpoints: Endpoints): { groups: Map<string, Group>; skipped: MirrorPlan['skipped'] } {
  const groups = new Map<string, Group>()
  let invalid = 0
  let tooMany = 0
  for (const subset of endpoints.subsets ?? []) {
    const ready = (subset.addresses ?? []).map((address) => ({ address, ready: true }))
    const notReady = (subset.notReadyAddresses ?? []).map((address) => ({ address, ready: false }))
    const ports = (subset.ports ?? []).map((port) => ({
      ...port,
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
    }))
    let added = 0
    for (const { address, ready: isReady } of [...ready, ...notReady]) {
      const ip = findAddress(address.ip)
      if (ip === undefined) invalid++
      else if (added >= maxAddressesPerSubset) tooMany++
      else {
        const family = familyOf(ip) === 4 ? 'IPv4' : 'IPv6'
        const key = groupKey(family, ports)
        const group = groups.get(key) ?? { family, ports, endpoints: new Map<string, Endpoint>() }
        groups.set(key, group)
        const endpoint = mirrorAddress(ip, address, isReady)
        group.endpoints.set(endpointKey(endpoint), endpoint)
        added++
      }
    }
  }
  return { groups, skipped: { invalid, tooMany } }
}

function mirrorAddress(ip: string, address: SubsetAddress, ready: boolean): Endpoint {
  const { hostname, nodeName, targetRef } = address
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  }
}

function groupKey(family: string, ports: readonly EndpointPort[] | undefined): string {
  return `${family} ${portsKey(ports)}`
}

function mirror(endpoints: Endpoints, group: Group): EndpointSlice {
  const { name, labels, annotations } = endpoints.metadata
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !notMirrored.includes(key))
  const wanted = { ...labels, [serviceNameLabel]: name, [managedByLabel]: mirroringController }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...newSliceMetadata(endpoints, wanted), annotations: Object.fromEntries(kept) },
    addressType: group.family,
    endpoints: [...group.endpoints.values()],
    ports: [...group.ports],
  }
}

function says(old: EndpointSlice, wanted: EndpointSlice): boolean {
  const endpoints = new Map(wanted.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]))
  return (
    old.endpoints.length === endpoints.size &&
    old.endpoints.every((endpoint) => {
      const other = endpoints.get(endpointKey(endpoint))
      return other !== undefined && sameEndpoint(endpoint, other)
    }) &&
    sameMap(old.metadata.labels, wanted.metadata.labels) &&
    sameMap(old.metadata.annotations, wanted.metadata.annotations)
  )
}
