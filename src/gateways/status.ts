import type { Address } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { GatewayModel } from './model.ts'

/** What `status` of each served Ingress should be, when gateways answer at these addresses. */
export function ingressStatuses(
  { served }: GatewayModel,
  addresses: readonly Address[],
): ReadonlyMap<ObjectKey, { readonly loadBalancer: { readonly ingress: readonly { readonly ip: Address }[] } }> {
  const status = { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } }
  return new Map(served.map((key) => [key, status]))
}
