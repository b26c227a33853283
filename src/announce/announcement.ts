import { type Address, familyOf, findAddress } from '../addr/index.ts'
import {
  type AddressClaim,
  bearsExternalTraffic,
  type Finding,
  keyOf,
  type Labels,
  matches,
  matchesAny,
  nodesBySegment,
} from '../cluster/index.ts'
import type { AddressSelection, EndpointSlice, L2Advertisement, Node, Service } from '../objects/index.ts'

/** An address to be announced, and where. */
export interface Announcement {
  readonly claim: AddressClaim
  /** Whether a BGPAdvertisement selects it too, so that routers send its packets to other nodes than its holder. */
  readonly isRouted: boolean
  /** By node, the names of the links to announce on; all that lead to other machines for nodes that are not named. */
  readonly links: ReadonlyMap<string, readonly string[]>
}

/** The pool that an address comes out of. */
export interface PoolOfAddress {
  readonly name: string
  readonly labels: Labels
}

/** What a Service's announcements depend on beside itself. */
export interface Surroundings {
  readonly nodes: Iterable<Node>
  readonly advertisements: readonly L2Advertisement[]
  /** Those by BGP: an address that they alone select needs no owner. */
  readonly byRoute: readonly AddressSelection[]
  findPool(address: Address): PoolOfAddress | undefined
}

/**
 * Which addresses of a Service are announced, and by which nodes: those that an advertisement selects, that may bear external
 * traffic, are on the address's segment where it is of one, and, with `externalTrafficPolicy: Local`, that have an endpoint which is ready. Without such an endpoint anywhere the
 * address is silent. Addresses that come out of no pool are another load balancer's.
 */
export function serviceAnnouncements(
  service: Service,
  slices: readonly EndpointSlice[],
  surroundings: Surroundings,
): { readonly announcements: readonly Announcement[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const object = `service/${keyOf(service)}`
  const all = [...surroundings.nodes]
  if (service.spec.type !== 'LoadBalancer') return { announcements: [], findings }
  const announcements = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, index): Announcement[] => {
    const address = findAddress(ip)
    const pool = address && surroundings.findPool(address)
    if (address === undefined || pool === undefined) return []
    const because = { object, field: `status.loadBalancer.ingress[${index}].ip`, value: ip }
    const advertisements = surroundings.advertisements.filter((one) => selects(one, pool, service))
    const isRouted = surroundings.byRoute.some((one) => selects(one, pool, service))
    if (advertisements.length === 0) {
      if (isRouted) return []
      const says = `${ip} is announced by nobody: no L2Advertisement or BGPAdvertisement selects pool "${pool.name}" and this Service`
      findings.push({ code: 'NotAdvertised', object, field: because.field, says, try: 'create an L2Advertisement' })
      return []
    }
    const near = nodesBySegment(all)(address)
    const nodes = all
      .filter(({ metadata }) => near?.has(metadata.name) !== false)
      .filter(bearsExternalTraffic(service, slices, familyOf(address)))
    return [{ ...compile({ address, use: 'LoadBalancer', because }, nodes, advertisements), isRouted }]
  })
  return { announcements, findings }
}

/** One announcement per address: Services that share one are announced where any of them may be. */
export function mergeAnnouncements(announcements: Iterable<Announcement>): ReadonlyMap<Address, Announcement> {
  const merged = new Map<Address, Announcement>()
  for (const one of announcements) {
    const { address } = one.claim
    const other = merged.get(address)
    if (other === undefined) merged.set(address, one)
    else {
      const eligible = [...new Set([...other.claim.eligible, ...one.claim.eligible])]
      merged.set(address, {
        ...other,
        claim: { ...other.claim, eligible },
        isRouted: other.isRouted || one.isRouted,
        links: new Map([...one.links, ...other.links]),
      })
    }
  }
  return merged
}

function compile(
  claim: Pick<AddressClaim, 'address' | 'use' | 'because'>,
  nodes: readonly Node[],
  advertisements: readonly L2Advertisement[],
): Omit<Announcement, 'isRouted'> {
  const eligible: string[] = []
  const preference = new Map<string, number>()
  const links = new Map<string, readonly string[]>()
  for (const { metadata } of nodes) {
    const mine = advertisements.filter(({ spec }) => matchesAny(spec?.nodeSelectors, metadata.labels))
    if (mine.length === 0) continue
    eligible.push(metadata.name)
    const weight = Math.max(...mine.map((one) => weigh(one, metadata.labels)))
    if (weight > 0) preference.set(metadata.name, weight)
    const named = mine.map(({ spec }) => spec?.interfaces ?? [])
    // One advertisement without names means all links, whatever the others say.
    if (named.every((names) => names.length > 0)) links.set(metadata.name, [...new Set(named.flat())].sort())
  }
  return { claim: { ...claim, eligible: eligible.sort(), preference }, links }
}

function weigh({ spec }: L2Advertisement, labels: Labels | undefined): number {
  return (spec?.preferredNodeSelectors ?? []).reduce(
    (sum, { weight, preference }) => sum + (matches(preference, labels) ? weight : 0),
    0,
  )
}

function selects({ spec = {} }: AddressSelection, pool: PoolOfAddress, service: Service): boolean {
  const { ipAddressPools = [], ipAddressPoolSelectors = [], serviceSelectors } = spec
  const isForAll = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0
  const hasPool =
    isForAll || ipAddressPools.includes(pool.name) || ipAddressPoolSelectors.some((one) => matches(one, pool.labels))
  return hasPool && matchesAny(serviceSelectors, service.metadata.labels)
}
