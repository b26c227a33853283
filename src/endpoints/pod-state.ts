import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import type { Pod, Service } from '../objects/index.ts'

/** Whether the kubelet says that the Pod is Ready; without the condition it is not. */
export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === 'True'
}

/** The Pod's Ready condition, if it has one. */
export function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready')
}

/** Whether the Pod has ended for good: its address may belong to another Pod by now. */
export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Whether the Pod is on its way out (deletionTimestamp set). */
export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}

/** The Pod's addresses in canonical form, in the order of its status; text that is no address is left out. */
export function podAddresses(pod: Pod, family?: Family): Address[] {
  const texts = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP ? [pod.status.podIP] : [])
  const addresses = texts.flatMap((text) => findAddress(text) ?? [])
  return family === undefined ? addresses : addresses.filter((address) => familyOf(address) === family)
}

/** Whether a selected Pod has a place among a Service's endpoints: it has an address and did not end. */
export function mayBeEndpoint(pod: Pod, withTerminating: boolean): boolean {
  if (hasEnded(pod) || podAddresses(pod).length === 0) return false
  return withTerminating || !isTerminating(pod)
}

/** The name that an endpoint carries in DNS: `spec.hostname`, only if the Pod's subdomain is the Service. */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec
  if (!hostname || subdomain !== service.metadata.name) return undefined
  return pod.metadata.namespace === service.metadata.namespace ? hostname : undefined
}

/** Whether two versions of a Pod are the same endpoint, whatever the Service; ports cannot change in a Pod. */
export function sameAsEndpoint(a: Pod, b: Pod): boolean {
  return (
    a.metadata.uid === b.metadata.uid &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    a.status?.phase === b.status?.phase &&
    a.spec.nodeName === b.spec.nodeName &&
    isReady(a) === isReady(b) &&
    podAddresses(a).join() === podAddresses(b).join()
  )
}
