import type { ObjectKey } from '../cluster/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import type { Ingress, IngressClass, Secret } from './ingress.ts'

/** The objects that gateways are compiled from. */
export interface Sources {
  readonly ingresses: Iterable<Ingress>
  readonly ingressClasses: Iterable<IngressClass>
  readonly secrets: ReadonlyMap<ObjectKey, Secret>
  readonly services: ReadonlyMap<ObjectKey, Service>
  slicesOf(service: ObjectKey): readonly EndpointSlice[]
}
