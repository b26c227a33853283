import { type Address, findAddress } from '../addr/index.ts'
import type { ObjectKey, Snapshot } from '../cluster/index.ts'

/** The Service by which pods find the API server. */
export const apiServer: ObjectKey = 'default/kubernetes'

/** Where the API server is: pods reach it without an egress address, so that an address without an owner does not cut them off from it. */
export function apiServerAddresses(snapshot: Pick<Snapshot, 'slicesOf'>): Address[] {
  const texts = snapshot
    .slicesOf(apiServer)
    .flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses))
  return [...new Set(texts.flatMap((text) => findAddress(text) ?? []))].sort()
}
