import { type Family, familyOf, findAddress } from '../addr/index.ts'
import type { EndpointPort, Endpoints, Pod, Service } from '../objects/index.ts'
import { isHeadless } from './address-types.ts'
import { podReference, sameReference } from './pod-endpoint.ts'
import { endpointHostname, isReady, mayBeEndpoint, podAddresses } from './pod-state.ts'
import { endpointPort, findTargetPort, portsKey } from './ports.ts'
import { type AddressWithPorts, repackSubsets, type Subset, truncateSubsets } from './repack.ts'
import { selects } from './select.ts'
import { headlessLabel, sameMap } from './slice-object.ts'

/** Tells Endpoints that a controller made from those of users (KEP-4974). */
export const endpointsManagedByLabel = 'endpoints.kubernetes.io/managed-by'
/** Says on an Endpoints object that addresses were left out. */
export const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity'

/**
 * The Endpoints object of a Service with a selector: one family, at most 1000 addresses, terminating Pods only when unready
 * addresses are published (k/k endpoints controller).
 */
export function compileEndpoints(service: Service, pods: Iterable<Pod>): Endpoints {
  const addresses: AddressWithPorts[] = []
  const { publishNotReadyAddresses: unready = false } = service.spec
  for (const pod of pods) {
    if (selects(service, pod) && mayBeEndpoint(pod, unready)) addresses.push(...addressOf(service, pod))
  }
  const subsets = repackSubsets(addresses)
  const truncated = truncateSubsets(subsets)
  const { name, namespace, labels } = service.metadata
  const { [headlessLabel]: _, ...own } = labels ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: {
        ...own,
        [endpointsManagedByLabel]: 'endpoint-controller',
        ...(isHeadless(service) && { [headlessLabel]: '' }),
      },
      ...(truncated && { annotations: { [overCapacityAnnotation]: 'truncated' } }),
    },
    subsets: truncated ?? subsets,
  }
}

function addressOf(service: Service, pod: Pod): AddressWithPorts[] {
  const ip = podAddresses(pod, familyFor(service, pod))[0]
  if (ip === undefined) return []
  const found = (service.spec.ports ?? []).flatMap((port): EndpointPort[] => {
    const number = findTargetPort(pod, port)
    if (number === undefined) return []
    // Unlike a slice's, a port of an Endpoints object has no name when the Service's has none.
    const { name, ...rest } = endpointPort(port, number)
    return [name ? { name, ...rest } : rest]
  })
  // Only a headless Service may have no ports at all; a Pod that lacks every named port is left out.
  if (found.length === 0 && ((service.spec.ports ?? []).length > 0 || service.spec.clusterIP !== 'None')) return []
  const hostname = endpointHostname(pod, service)
  const address = {
    ip,
    ...(hostname !== undefined && { hostname }),
    ...(pod.spec.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: podReference(pod),
  }
  return [{ address, ready: service.spec.publishNotReadyAddresses === true || isReady(pod), ports: found }]
}

function familyFor(service: Service, pod: Pod): Family {
  const first = service.spec.ipFamilies?.[0]
  if (first !== undefined) return first === 'IPv6' ? 6 : 4
  const address = findAddress(service.spec.clusterIP ?? '') ?? findAddress(pod.status?.podIP ?? '')
  return address === undefined ? 4 : familyOf(address)
}

/** Whether an Endpoints object already says what `wanted` says; the trigger time and others' annotations do not count. */
export function sameEndpoints(current: Endpoints, wanted: Endpoints): boolean {
  const note = (object: Endpoints) => object.metadata.annotations?.[overCapacityAnnotation]
  if (note(current) !== note(wanted) || !sameMap(current.metadata.labels, wanted.metadata.labels)) return false
  const a = current.subsets ?? []
  const b = wanted.subsets ?? []
  return a.length === b.length && a.every((subset, i) => sameSubset(subset, b[i]!))
}

function sameSubset(a: Subset, b: Subset): boolean {
  return (
    portsKey(a.ports) === portsKey(b.ports) &&
    sameAddresses(a.addresses, b.addresses) &&
    sameAddresses(a.notReadyAddresses, b.notReadyAddresses)
  )
}

function sameAddresses(a: Subset['addresses'] = [], b: Subset['addresses'] = []): boolean {
  return (
    a.length === b.length &&
    a.every((address, i) => {
      const other = b[i]!
      return (
        address.ip === other.ip &&
        address.hostname === other.hostname &&
        address.nodeName === other.nodeName &&
        sameReference(address.targetRef, other.targetRef)
      )
    })
  )
}
