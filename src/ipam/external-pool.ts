import type { Finding, Labels } from '../cluster/index.ts'
import { type Because, matches } from '../cluster/index.ts'
import type { IPAddressPool, LabelSelector } from '../objects/index.ts'
import { type AddressRange, findAddressRange, rangesOverlap, renderRange } from './address-range.ts'
import type { AddressRequest, AddressUse } from './address-request.ts'

/** What one pool means. */
export interface ExternalPool {
  readonly name: string
  readonly ranges: readonly AddressRange[]
  readonly autoAssign: boolean
  readonly avoidBuggyIPs: boolean
  readonly usage: ReadonlySet<AddressUse>
  /** Lower first. */
  readonly priority: number
  /** Whether it is for chosen namespaces or Services; such pools come before those that are for all. */
  readonly pinned: boolean
  readonly allocation: NonNullable<IPAddressPool['spec']['serviceAllocation']>
  /** Why nothing new is given out of it. What it has given stays. */
  readonly refusal: Finding | undefined
  /** Entries of `spec.addresses` that are no range; the others serve. */
  readonly findings: readonly Finding[]
}

/** Addresses that the cluster itself uses, and whose they are. */
export interface ReservedRange {
  readonly range: AddressRange
  readonly because: Because
}

/** What the pools mean together, the oldest first: of two that overlap the younger gives nothing out, nor does one with addresses that the cluster uses. */
export function compilePools(
  objects: Iterable<IPAddressPool>,
  reserved: readonly ReservedRange[],
): readonly ExternalPool[] {
  const pools: ExternalPool[] = []
  const accepted: { pool: string; range: AddressRange }[] = []
  for (const object of [...objects].sort(byAge)) {
    const pool = compilePool(object)
    const refusal = findReserved(pool, reserved) ?? findOverlap(pool, accepted)
    pools.push({ ...pool, refusal })
    if (refusal === undefined) for (const range of pool.ranges) accepted.push({ pool: pool.name, range })
  }
  return pools
}

/** Whether the pool's `serviceAllocation` lets the object have an address: within a list one must match, and both kinds of lists must. */
export function poolAllows({ allocation }: ExternalPool, request: AddressRequest): boolean {
  const { namespaces = [], namespaceSelectors = [], serviceSelectors = [] } = allocation
  const namespaceMatches =
    (namespaces.length === 0 && namespaceSelectors.length === 0) ||
    namespaces.includes(request.namespace) ||
    namespaceSelectors.some((selector) => matches(selector, request.namespaceLabels))
  return namespaceMatches && (serviceSelectors.length === 0 || anyMatches(serviceSelectors, request.labels))
}

function anyMatches(selectors: readonly LabelSelector[], labels: Labels | undefined): boolean {
  return selectors.some((selector) => matches(selector, labels))
}

function compilePool({ metadata, spec }: IPAddressPool): Omit<ExternalPool, 'refusal'> {
  const allocation = spec.serviceAllocation ?? {}
  const findings: Finding[] = []
  const ranges = (spec.addresses ?? []).flatMap((text, index) => {
    const range = findAddressRange(text)
    if (range !== undefined) return range
    const where = { object: `ipaddresspool/${metadata.name}`, field: `spec.addresses[${index}]` }
    const remedy = 'write a prefix, such as 192.0.2.0/28, or a range, such as 192.0.2.10-192.0.2.20'
    findings.push({ code: 'InvalidRange', ...where, says: `"${text}" is no range of addresses`, try: remedy })
    return []
  })
  const { priority = 0, namespaces = [], namespaceSelectors = [], serviceSelectors = [] } = allocation
  return {
    name: metadata.name,
    ranges: ranges.sort((a, b) => a.family - b.family || (a.first < b.first ? -1 : 1)),
    autoAssign: spec.autoAssign ?? true,
    avoidBuggyIPs: spec.avoidBuggyIPs ?? false,
    usage: new Set(spec.usage ?? ['LoadBalancer', 'Egress']),
    priority: priority === 0 ? Number.POSITIVE_INFINITY : priority,
    pinned: namespaces.length + namespaceSelectors.length + serviceSelectors.length > 0,
    allocation,
    findings,
  }
}

type Unjudged = Pick<ExternalPool, 'name' | 'ranges'>

function findReserved({ name, ranges }: Unjudged, reserved: readonly ReservedRange[]): Finding | undefined {
  for (const range of ranges) {
    const user = reserved.find((one) => rangesOverlap(one.range, range))
    if (user === undefined) continue
    const { object, field, value } = user.because
    return {
      code: 'InUseByCluster',
      object: `ipaddresspool/${name}`,
      field: 'spec.addresses',
      says: `${renderRange(range)} contains ${value}, which is ${field} of ${object}`,
      try: `take ${value} out of the pool`,
    }
  }
  return undefined
}

function findOverlap(
  { name, ranges }: Unjudged,
  accepted: readonly { pool: string; range: AddressRange }[],
): Finding | undefined {
  for (const range of ranges) {
    const other = accepted.find((one) => rangesOverlap(one.range, range))
    if (other === undefined) continue
    return {
      code: 'Overlaps',
      object: `ipaddresspool/${name}`,
      field: 'spec.addresses',
      says: `${renderRange(range)} overlaps ${renderRange(other.range)} of the older pool "${other.pool}"`,
      try: 'take the addresses that both have out of one of them',
    }
  }
  return undefined
}

function byAge(a: IPAddressPool, b: IPAddressPool): number {
  return (
    compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
    compare(a.metadata.name, b.metadata.name)
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
