import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import type { AddressRequest } from '../ipam/index.ts'
import type { Egress } from '../objects/index.ts'

/** How the requests of an Egress begin. */
export const egressPrefix = 'egress/'

/** The Egress behind the key of a request. */
export function egressOfRequest(key: string): string {
  return key.slice(egressPrefix.length).split(' ')[0] ?? ''
}

/** What an Egress asks for: its own addresses, or one of each family out of each of its pools. */
export function egressRequests({ metadata, spec, status }: Egress, families: readonly Family[]): AddressRequest[] {
  const object = `${egressPrefix}${metadata.name}`
  const fixed = spec.egressIPs ?? (spec.egressIP === undefined ? [] : [spec.egressIP])
  const pools = spec.externalIPPools ?? (spec.externalIPPool === undefined ? [] : [spec.externalIPPool])
  const common = {
    use: 'Egress',
    created: metadata.creationTimestamp ?? '',
    held: addressesIn(status?.egressIPs ?? []),
    namespace: '',
    labels: metadata.labels,
  } as const
  const wanted = addressesIn(fixed)
  if (fixed.length > 0) {
    const own = [...new Set(wanted.map(familyOf))]
    const [pool, ...others] = pools
    const field = spec.egressIPs === undefined ? 'spec.egressIP' : 'spec.egressIPs'
    const because = { object, field, value: fixed.join() }
    if (wanted.length === 0) return []
    if (pool === undefined)
      return [{ ...common, key: object, families: own, need: 'all', wanted, because, poolless: true }]
    const one = others.length === 0 ? { pool } : {}
    return [{ ...common, key: object, families: own, need: 'all', wanted, because, ...one }]
  }
  return pools.map((pool, index) => ({
    ...common,
    key: `${object} ${pool}`,
    families,
    need: 'any',
    pool,
    because: {
      object,
      field: spec.externalIPPools === undefined ? 'spec.externalIPPool' : `spec.externalIPPools[${index}]`,
      value: pool,
    },
  }))
}

function addressesIn(texts: readonly string[]): Address[] {
  return [...new Set(texts.flatMap((text) => findAddress(text) ?? []))]
}
