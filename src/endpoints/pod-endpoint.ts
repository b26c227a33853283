import type { Endpoint, Node, ObjectReference, Pod, Service } from '../objects/index.ts'
import { familyNumber, type SliceFamily } from './address-types.ts'
import { type HintMode, hintsFor } from './hints.ts'
import { endpointHostname, isReady, isTerminating, podAddresses } from './pod-state.ts'

/** The endpoint that a Pod is in the slices of one family, or undefined when it has no address of that family. */
export function podEndpoint(
  service: Service,
  pod: Pod,
  node: Node | undefined,
  family: SliceFamily,
  hints: HintMode,
): Endpoint | undefined {
  const addresses = podAddresses(pod, familyNumber(family))
  if (addresses.length === 0) return undefined
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const endpoint: Endpoint = { addresses, conditions: { ready, serving, terminating }, targetRef: podReference(pod) }
  const hostname = endpointHostname(pod, service)
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone']
  if (hostname !== undefined) endpoint.hostname = hostname
  if (pod.spec.nodeName) endpoint.nodeName = pod.spec.nodeName
  if (zone) endpoint.zone = zone
  const wanted = hintsFor(endpoint, hints)
  if (wanted !== undefined) endpoint.hints = wanted
  return endpoint
}

/** The reference by which endpoints name their Pod. */
export function podReference(pod: Pod): ObjectReference {
  const { namespace, name, uid } = pod.metadata
  return { kind: 'Pod', ...(namespace && { namespace }), name, ...(uid && { uid }) }
}

/** Equal for endpoints that are the same one over time: addresses, hostname, and which object it is (not its uid). */
export function endpointKey(endpoint: Endpoint): string {
  const { addresses, hostname, targetRef } = endpoint
  const where = addresses.length === 1 ? addresses[0] : [...addresses].sort().join(',')
  return `${where}|${hostname ?? ''}|${targetRef?.namespace ?? ''}/${targetRef?.name ?? ''}`
}

/** Whether two endpoints of the same key say the same; a reference's resourceVersion does not count. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.conditions?.ready === b.conditions?.ready &&
    a.conditions?.serving === b.conditions?.serving &&
    a.conditions?.terminating === b.conditions?.terminating &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    sameReference(a.targetRef, b.targetRef) &&
    sameNames(a.hints?.forZones, b.hints?.forZones) &&
    sameNames(a.hints?.forNodes, b.hints?.forNodes)
  )
}

/** Whether two references name the same object; resourceVersion does not count. */
export function sameReference(a: ObjectReference | undefined, b: ObjectReference | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const { apiVersion, kind, namespace, name, uid, fieldPath } = a
  return (
    apiVersion === b.apiVersion &&
    kind === b.kind &&
    namespace === b.namespace &&
    name === b.name &&
    uid === b.uid &&
    fieldPath === b.fieldPath
  )
}

function sameNames(a: readonly { name: string }[] = [], b: readonly { name: string }[] = []): boolean {
  return a.length === b.length && a.every(({ name }, i) => name === b[i]?.name)
}
