import { matches } from '../cluster/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { hasSelectedEndpoints } from './address-types.ts'

/** Whether the Service's selector selects the Pod: same namespace, every pair there; no selector selects nothing. */
export function selects(service: Service, pod: Pod): boolean {
  if (!hasSelectedEndpoints(service) || pod.metadata.namespace !== service.metadata.namespace) return false
  return matches(service.spec.selector, pod.metadata.labels)
}

/** The Pods among `pods` that the Service selects. */
export function selectedPods(service: Service, pods: Iterable<Pod>): Pod[] {
  return [...pods].filter((pod) => selects(service, pod))
}
