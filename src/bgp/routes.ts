import { type Address, familyOf, findAddress, findPrefix, hostPrefix, type Prefix } from '../addr/index.ts'
import { type Because, bearsExternalTraffic, type Finding, keyOf, type Labels, matchesAny } from '../cluster/index.ts'
import type { EndpointSlice, Node, Service } from '../objects/index.ts'
import { findCommunity } from './communities.ts'
import type { CommunityValue, Route } from './model.ts'
import type { BGPAdvertisement, Community } from './objects.ts'

/** The pool that an address comes out of. */
export interface PoolOfAddress {
  readonly name: string
  readonly labels: Labels
}

/** What routes depend on beside the advertisements. */
export interface RouteSurroundings {
  readonly node: Node
  readonly services: Iterable<Service>
  slicesOf(service: Service): readonly EndpointSlice[]
  readonly communities: readonly Community[]
  findPool(address: Address): PoolOfAddress | undefined
}

/** An advertisement with its words understood. */
interface Understood {
  readonly object: BGPAdvertisement
  readonly communities: readonly CommunityValue[]
}

/**
 * What a node tells each peer: the addresses of LoadBalancer Services that it may bear (`bearsExternalTraffic`), whole or as the prefix of
 * the aggregation length. Of two advertisements that yield one prefix for a peer the communities are united and the higher preference wins.
 */
export function compileRoutes(
  advertisements: readonly BGPAdvertisement[],
  peers: readonly string[],
  surroundings: RouteSurroundings,
  findings: Finding[],
): ReadonlyMap<string, readonly Route[]> {
  const { node, services, slicesOf } = surroundings
  const mine = advertisements
    .filter(({ spec }) => matchesAny(spec?.nodeSelectors, node.metadata.labels))
    .map((object) => understand(object, peers, surroundings.communities, findings))
  const told = new Map<string, Map<Prefix, Route>>(peers.map((name) => [name, new Map()]))
  if (mine.length === 0) return new Map()
  for (const service of services) {
    if (service.spec.type !== 'LoadBalancer') continue
    for (const { address, because } of addressesOf(service)) {
      const pool = surroundings.findPool(address)
      if (pool === undefined) continue
      const chosen = mine.filter(({ object }) => selects(object, pool, service))
      if (chosen.length === 0 || !bearsExternalTraffic(service, slicesOf(service), familyOf(address))(node)) continue
      for (const each of chosen)
        for (const peer of each.object.spec?.peers?.length ? each.object.spec.peers : peers)
          add(told.get(peer), each, aggregate(each.object, address), because)
    }
  }
  return new Map([...told].map(([peer, routes]) => [peer, [...routes.values()].sort(byPrefix)]))
}

function addressesOf(service: Service): { address: Address; because: Because }[] {
  const object = `service/${keyOf(service)}`
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, index) => {
    const address = findAddress(ip)
    const because = { object, field: `status.loadBalancer.ingress[${index}].ip`, value: ip }
    return address === undefined ? [] : [{ address, because }]
  })
}

function selects({ spec = {} }: BGPAdvertisement, pool: PoolOfAddress, service: Service): boolean {
  const { ipAddressPools = [], ipAddressPoolSelectors = [], serviceSelectors } = spec
  const isForAll = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0
  const hasPool =
    isForAll ||
    ipAddressPools.includes(pool.name) ||
    (ipAddressPoolSelectors.length > 0 && matchesAny(ipAddressPoolSelectors, pool.labels))
  return hasPool && matchesAny(serviceSelectors, service.metadata.labels)
}

function aggregate({ spec = {} }: BGPAdvertisement, address: Address): Prefix {
  const full = familyOf(address) === 4 ? 32 : 128
  const length = Math.min(full, (full === 32 ? spec.aggregationLength : spec.aggregationLengthV6) ?? full)
  return findPrefix(`${address}/${length}`, true) ?? hostPrefix(address)
}

function add(
  routes: Map<Prefix, Route> | undefined,
  { object, communities }: Understood,
  prefix: Prefix,
  because: Because,
): void {
  if (routes === undefined) return
  const other = routes.get(prefix)
  const { localPref } = object.spec ?? {}
  const preferences = [other?.localPreference, localPref].filter((value) => value !== undefined)
  routes.set(prefix, {
    prefix,
    localPreference: preferences.length === 0 ? undefined : Math.max(...preferences),
    communities: unite(other?.communities ?? [], communities),
    because: [...(other?.because ?? []), because],
  })
}

function unite(a: readonly CommunityValue[], b: readonly CommunityValue[]): readonly CommunityValue[] {
  return [...new Map([...a, ...b].map((value) => [value.join(), value])).values()]
}

function understand(
  object: BGPAdvertisement,
  peers: readonly string[],
  named: readonly Community[],
  findings: Finding[],
): Understood {
  const name = `bgpadvertisement/${object.metadata.name}`
  const communities = (object.spec?.communities ?? []).flatMap((text, index) => {
    const value = findCommunity(text, named)
    if (value !== undefined) return [value]
    const says = `"${text}" is no community: neither ASN:VALUE nor large:ASN:VALUE:VALUE nor a name`
    findings.push({
      code: 'InvalidCommunity',
      object: name,
      field: `spec.communities[${index}]`,
      says,
      try: 'write 64512:100, or create a Community with this name',
    })
    return []
  })
  for (const [index, peer] of (object.spec?.peers ?? []).entries())
    if (!peers.includes(peer)) {
      const says = `BGPPeer "${peer}" is none that this node speaks with`
      findings.push({
        code: 'NoPeer',
        object: name,
        field: `spec.peers[${index}]`,
        says,
        try: 'create it, or see its nodeSelectors',
      })
    }
  return { object, communities }
}

function byPrefix(a: Route, b: Route): number {
  return a.prefix < b.prefix ? -1 : 1
}
