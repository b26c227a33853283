import { type Address, familyOf, findPrefix, hostPrefix, type Prefix } from '../addr/index.ts'

/** So many addresses of one network are taken for the network: a provider changes them. */
const manyAddresses = 5

/** Addresses as prefixes: each alone, but the /24 (for IPv6 the /64) where there are five or more of one. */
export function foldAddresses(addresses: readonly Address[]): readonly Prefix[] {
  const networks = new Map<Prefix, Address[]>()
  for (const address of new Set(addresses)) {
    const network = findPrefix(`${address}/${familyOf(address) === 4 ? 24 : 64}`, true)
    if (network === undefined) continue
    networks.set(network, [...(networks.get(network) ?? []), address])
  }
  return [...networks]
    .flatMap(([network, some]) => (some.length >= manyAddresses ? [network] : some.map(hostPrefix)))
    .sort()
}
