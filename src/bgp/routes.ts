import { type Address, familyOf, findAddress, findPrefix, hostPrefix, type Prefix } from '../addr/index.ts'
import {
  type Because,
  bearsExternalTraffic,
  type Finding,
  keyOf,
  type Labels,
  matchesAny,
  type ObjectKey,
} from '../cluster/index.ts'
import type { EndpointSlice, Node, Service } from '../objects/index.ts'
import { findCommunity } from './communities.ts'
import type { CommunityValue } from './model.ts'
import type { BGPAdvertisement, Community } from './objects.ts'
import type { Told } from './route-book.ts'

/** The pool that an address comes out of. */
export interface PoolOfAddress {
  readonly name: string
  readonly labels: Labels
}

/** What routes depend on beside the advertisements. */
export interface RouteSurroundings {
  readonly node: Node
  readonly services: ReadonlyMap<ObjectKey, Service>
  slicesOf(service: Service): readonly EndpointSlice[]
  /** Egress addresses that this node holds. */
  readonly held: readonly { readonly address: Address; readonly because: Because }[]
  readonly communities: readonly Community[]
  findPool(address: Address): PoolOfAddress | undefined
}

/** An advertisement with its words understood. */
export interface Understood {
  readonly object: BGPAdvertisement
  readonly communities: readonly CommunityValue[]
}

/** The advertisements that are for this node, the first by name first. */
export function understandAll(
  advertisements: readonly BGPAdvertisement[],
  peers: readonly string[],
  { node, communities }: Pick<RouteSurroundings, 'node' | 'communities'>,
  findings: Finding[],
): readonly Understood[] {
  return advertisements
    .filter(({ spec }) => matchesAny(spec?.nodeSelectors, node.metadata.labels))
    .map((object) => understand(object, peers, communities, findings))
}

/**
 * What peers are told for the sake of a LoadBalancer Service: its addresses, where the node may bear them (`bearsExternalTraffic`), whole or as
 * the prefix of the aggregation length.
 */
export function tellService(
  service: Service | undefined,
  mine: readonly Understood[],
  peers: readonly string[],
  { node, slicesOf, findPool }: RouteSurroundings,
): readonly Told[] {
  if (service?.spec.type !== 'LoadBalancer') return []
  return addressesOf(service).flatMap(({ address, because }) => {
    const pool = findPool(address)
    const chosen = pool === undefined ? [] : mine.filter(({ object }) => selects(object, pool, service.metadata.labels))
    if (chosen.length === 0 || !bearsExternalTraffic(service, slicesOf(service), familyOf(address))(node)) return []
    return chosen.flatMap((each) => tellAddress(each, peers, address, because))
  })
}

/** What peers are told for the sake of Egresses: the addresses that this node holds. Advertisements that select Services are for Services alone. */
export function tellHeld(
  mine: readonly Understood[],
  peers: readonly string[],
  { held, findPool }: RouteSurroundings,
): readonly Told[] {
  return held.flatMap(({ address, because }) => {
    const pool = findPool(address)
    if (pool === undefined) return []
    return mine
      .filter(({ object }) => object.spec?.serviceSelectors === undefined && selects(object, pool, undefined))
      .flatMap((each) => tellAddress(each, peers, address, because))
  })
}

function tellAddress(
  { object, communities }: Understood,
  peers: readonly string[],
  address: Address,
  because: Because,
): Told[] {
  const prefix = aggregate(object, address)
  const localPreference = object.spec?.localPref
  const chosen = object.spec?.peers?.length ? object.spec.peers : peers
  return chosen.flatMap((peer) =>
    peers.includes(peer) ? [{ peer, prefix, localPreference, communities, because }] : [],
  )
}

function addressesOf(service: Service): { address: Address; because: Because }[] {
  const object = `service/${keyOf(service)}`
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, index) => {
    const address = findAddress(ip)
    const because = { object, field: `status.loadBalancer.ingress[${index}].ip`, value: ip }
    return address === undefined ? [] : [{ address, because }]
  })
}

function selects({ spec = {} }: BGPAdvertisement, pool: PoolOfAddress, labels: Labels | undefined): boolean {
  const { ipAddressPools = [], ipAddressPoolSelectors = [], serviceSelectors } = spec
  const isForAll = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0
  const hasPool =
    isForAll ||
    ipAddressPools.includes(pool.name) ||
    (ipAddressPoolSelectors.length > 0 && matchesAny(ipAddressPoolSelectors, pool.labels))
  return hasPool && matchesAny(serviceSelectors, labels)
}

function aggregate({ spec = {} }: BGPAdvertisement, address: Address): Prefix {
  const full = familyOf(address) === 4 ? 32 : 128
  const length = Math.min(full, (full === 32 ? spec.aggregationLength : spec.aggregationLengthV6) ?? full)
  return findPrefix(`${address}/${length}`, true) ?? hostPrefix(address)
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
