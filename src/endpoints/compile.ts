import { keyOf, serviceNameLabel } from '../cluster/index.ts'
import type { EndpointSlice, Node, Pod, Service } from '../objects/index.ts'
import type { SlicePlan } from './family-slices.ts'
import { selectedPods } from './select.ts'
import { type MissingNode, ServiceEndpoints } from './service-endpoints.ts'
import { managedByLabel, sliceController } from './slice-object.ts'
import { ZoneCapacity } from './zone-capacity.ts'

export interface CompileOptions {
  /** The most endpoints that are put into one slice; default 100. */
  readonly maxEndpointsPerSlice?: number
}

/** Whether the slice belongs to a Service's selector controller: only those are ever changed by it. */
export function isManagedSlice(slice: EndpointSlice, serviceName: string): boolean {
  const labels = slice.metadata.labels ?? {}
  return labels[serviceNameLabel] === serviceName && labels[managedByLabel] === sliceController
}

/**
 * What to write so that a Service's slices hold exactly its endpoints, from the objects alone. Pods need not be selected before;
 * slices of other controllers are passed over. `ServiceEndpoints` does the same step by step.
 */
export function compileEndpointSlices(
  service: Service,
  pods: Iterable<Pod>,
  nodes: ReadonlyMap<string, Node>,
  existing: Iterable<EndpointSlice>,
  options: CompileOptions = {},
): SlicePlan & { readonly missingNodes: readonly MissingNode[] } {
  const zones = new ZoneCapacity()
  for (const [name, node] of nodes) zones.setNode(name, node)
  const zoneShares = () => zones.shares
  const endpoints = new ServiceEndpoints(service, { ...options, findNode: (name) => nodes.get(name), zoneShares })
  for (const slice of existing) {
    if (slice.metadata.namespace === service.metadata.namespace && isManagedSlice(slice, service.metadata.name))
      endpoints.setSlice(slice.metadata.name, slice)
  }
  for (const pod of selectedPods(service, pods)) endpoints.setPod(keyOf(pod), pod)
  return { ...endpoints.plan(), missingNodes: [...endpoints.missingNodes] }
}
