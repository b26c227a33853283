import { type Family, findAddress } from '../addr/index.ts'
import type { ObjectKey, Snapshot } from '../cluster/index.ts'
import type { EndpointSlice } from '../objects/index.ts'
import type { HeldSets } from './held-sets.ts'

/** The Service that pods ask for names. */
const clusterDns: ObjectKey = 'kube-system/kube-dns'

/** `ADDRESS . PROTOCOL . PORT` of each endpoint. */
function resolversOf(family: Family, { addressType, endpoints, ports = [] }: EndpointSlice): readonly string[] {
  if (addressType !== `IPv${family}`) return []
  const addresses = endpoints.flatMap((one) => one.addresses.slice(0, 1).flatMap((text) => findAddress(text) ?? []))
  return addresses.flatMap((address) =>
    ports.flatMap(({ protocol = 'TCP', port }) =>
      port === undefined || protocol === 'SCTP' ? [] : [`${address} . ${protocol.toLowerCase()} . ${port}`],
    ),
  )
}

/** The endpoints of the cluster's DNS in the sets by which rules for domain names know whose answers count. */
export class Resolvers {
  readonly #families: readonly Family[]
  readonly #held: Record<Family, ReadonlySet<string>> = { 4: new Set(), 6: new Set() }

  constructor(families: readonly Family[]) {
    this.#families = families
  }

  /** Puts what changed since the last time into the sets. */
  take(snapshot: Snapshot, sets: HeldSets): void {
    const slices = snapshot.slicesOf(clusterDns)
    for (const family of this.#families) {
      const set = sets.fixed[family].resolvers
      const wanted = new Set(slices.flatMap((slice) => resolversOf(family, slice)))
      for (const key of this.#held[family]) if (!wanted.has(key)) sets.put(set, key, undefined)
      for (const key of wanted) if (!this.#held[family].has(key)) sets.put(set, key, 1)
      this.#held[family] = wanted
    }
  }
}
