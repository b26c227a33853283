import type { Address } from '../addr/index.ts'
import { type Ingress, type IngressClass, objectOf } from './ingress.ts'
import { ownershipOf } from './ingress-class.ts'

/** What `status` of an Ingress should be when gateways answer at these addresses; undefined when it is not ours to serve. */
export function ingressStatus(
  ingress: Ingress,
  classes: readonly IngressClass[],
  addresses: readonly Address[],
): NonNullable<Ingress['status']> | undefined {
  if (ownershipOf(ingress, objectOf(ingress), classes).kind !== 'ours') return undefined
  return { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } }
}
