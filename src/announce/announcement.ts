import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import { type AddressClaim, type Finding, keyOf, type Labels, matches, type ObjectKey } from '../cluster/index.ts'
import type { EndpointSlice, LabelSelector, Node, Service } from '../objects/index.ts'
import type { L2Advertisement } from './l2-advertisement.ts'

/** An address to be announced, and where. */
export interface Announcement {
  readonly claim: AddressClaim
  /** L2: one node at a time, which is elected. L3: every eligible node. */
  readonly method: 'L2' | 'L3'
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
  findPool(address: Address): PoolOfAddress | undefined
}

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

/**
 * Which addresses of a Service are announced, and by which nodes: those that an advertisement selects, that may bear external
 * traffic, and, with `externalTrafficPolicy: Local`, that have an endpoint which is ready. Without such an endpoint anywhere the
 * address is silent. Addresses that come out of no pool are another load balancer's.
 */
export function serviceAnnouncements(
  service: Service,
  slices: readonly EndpointSlice[],
  surroundings: Surroundings,
): { readonly announcements: readonly Announcement[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const object = `service/${keyOf(service)}`
  if (service.spec.type !== 'LoadBalancer') return { announcements: [], findings }
  const announcements = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, index): Announcement[] => {
    const address = findAddress(ip)
    const pool = address && surroundings.findPool(address)
    if (address === undefined || pool === undefined) return []
    const because = { object, field: `status.loadBalancer.ingress[${index}].ip`, value: ip }
    const advertisements = surroundings.advertisements.filter((one) => selects(one, pool, service))
    if (advertisements.length === 0) {
      const says = `${ip} is announced by nobody: no L2Advertisement selects pool "${pool.name}" and this Service`
      findings.push({ code: 'NotAdvertised', object, field: because.field, says, try: 'create an L2Advertisement' })
      return []
    }
    const nodes = [...surroundings.nodes].filter(nodeFilter(service, slices, familyOf(address)))
    return [compile({ address, use: 'LoadBalancer', because }, nodes, advertisements)]
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
): Announcement {
  const eligible: string[] = []
  const preference = new Map<string, number>()
  const links = new Map<string, readonly string[]>()
  for (const { metadata } of nodes) {
    const mine = advertisements.filter(({ spec }) => anyOrAll(spec?.nodeSelectors, metadata.labels))
    if (mine.length === 0) continue
    eligible.push(metadata.name)
    const weight = Math.max(...mine.map((one) => weigh(one, metadata.labels)))
    if (weight > 0) preference.set(metadata.name, weight)
    const named = mine.map(({ spec }) => spec?.interfaces ?? [])
    // One advertisement without names means all links, whatever the others say.
    if (named.every((names) => names.length > 0)) links.set(metadata.name, [...new Set(named.flat())].sort())
  }
  return { claim: { ...claim, eligible: eligible.sort(), preference }, method: 'L2', links }
}

function weigh({ spec }: L2Advertisement, labels: Labels | undefined): number {
  return (spec?.preferredNodeSelectors ?? []).reduce(
    (sum, { weight, preference }) => sum + (matches(preference, labels) ? weight : 0),
    0,
  )
}

function selects({ spec = {} }: L2Advertisement, pool: PoolOfAddress, service: Service): boolean {
  const { ipAddressPools = [], ipAddressPoolSelectors = [], serviceSelectors } = spec
  const isForAll = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0
  const hasPool =
    isForAll || ipAddressPools.includes(pool.name) || ipAddressPoolSelectors.some((one) => matches(one, pool.labels))
  return hasPool && anyOrAll(serviceSelectors, service.metadata.labels)
}

/** Whether one of the selectors matches; none means all. */
function anyOrAll(selectors: readonly LabelSelector[] | undefined, labels: Labels | undefined): boolean {
  return selectors === undefined || selectors.length === 0 || selectors.some((selector) => matches(selector, labels))
}

/** Whether a node may bear the Service's external traffic of a family. */
function nodeFilter(service: Service, slices: readonly EndpointSlice[], family: Family): (node: Node) => boolean {
  const serving = servingNodes(slices, family)
  const local = service.spec.externalTrafficPolicy === 'Local'
  return ({ metadata, status }) => {
    if (metadata.deletionTimestamp !== undefined || metadata.labels?.[excludeLabel] !== undefined) return false
    const isCutOff = status?.conditions?.some(({ type, status }) => type === 'NetworkUnavailable' && status === 'True')
    if (isCutOff === true || serving.size === 0) return false
    return !local || serving.has(metadata.name)
  }
}

/** The nodes of endpoints that are ready; when there is none, of those that still serve while they terminate (KEP-1669). */
function servingNodes(slices: readonly EndpointSlice[], family: Family): ReadonlySet<ObjectKey> {
  const type = family === 4 ? 'IPv4' : 'IPv6'
  const endpoints = slices.filter(({ addressType }) => addressType === type).flatMap((slice) => slice.endpoints ?? [])
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false)
  const chosen = ready.length > 0 ? ready : endpoints.filter(({ conditions }) => conditions?.serving === true)
  return new Set(chosen.map(({ nodeName = '' }) => nodeName))
}
