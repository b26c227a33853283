import type { Endpoint, EndpointSlice } from '../objects/index.ts'
import type { ZoneShares } from './zone-capacity.ts'

/** How much more than its even part an endpoint may be asked to serve (KEP-2433). */
const overloadThreshold = 0.2

/** One Service's slices of one family: those that are written anyway, and those that need not be. */
export interface HintedSlices {
  readonly create: readonly EndpointSlice[]
  readonly update: readonly EndpointSlice[]
  readonly unchanged: readonly EndpointSlice[]
}

/** The slices with hints, and why they have none, in upstream's words; `unchanged` may have moved to `update`. */
export type ZoneHints = HintedSlices & { readonly disabled: string | undefined }

interface Allocation {
  readonly minimum: number
  readonly maximum: number
  readonly desired: number
}

type Counts = Map<string, number>

/**
 * Hints for `topology-mode: Auto`: every zone gets a part of the ready endpoints that is in proportion to its CPU, its own first.
 * Slices that need no other change keep their hints while no zone has more than it may. Without a fair part for each zone nobody gets hints.
 */
export function allocateZoneHints(slices: HintedSlices, shares: ZoneShares | undefined): ZoneHints {
  const { create, update, unchanged } = slices
  const all = [...create, ...update, ...unchanged]
  const ready = all.flatMap(({ endpoints }) => endpoints.filter(isReady))
  const allocations = allocationsOf(ready.length, shares)
  if (typeof allocations === 'string') return withoutHints(slices, allocations)
  if (ready.some(({ zone }) => !zone)) return withoutHints(slices, 'One or more endpoints do not have a zone specified')
  const hinted = spreadHints(slices, allocations)
  // Hints that stay may leave a zone with less than its part: then all are given anew.
  const short = [...allocations].some(([zone, { minimum }]) => (hinted.counts.get(zone) ?? 0) < minimum)
  return short ? spreadHints({ create, update: [...update, ...unchanged], unchanged: [] }, allocations) : hinted
}

/** Hints for the slices that are written anyway, and for those whose hints cannot stay. */
function spreadHints(
  slices: HintedSlices,
  allocations: ReadonlyMap<string, Allocation>,
): ZoneHints & { readonly counts: Counts } {
  const unchanged: EndpointSlice[] = []
  const update = [...slices.update]
  const hinted: Counts = new Map()
  for (const slice of slices.unchanged) {
    const counts = countHints(slice, hinted, allocations)
    if (counts === undefined) update.push(slice)
    else {
      unchanged.push(slice)
      for (const [zone, count] of counts) add(hinted, zone, count)
    }
  }
  const open = [...slices.create, ...update]
  for (const { endpoints } of open) for (const { zone = '' } of endpoints.filter(isReady)) add(hinted, zone, 1)
  const { giving, receiving } = exchange(allocations, hinted)
  const hint = (slice: EndpointSlice) => redistribute(slice, giving, receiving)
  const hints = { create: slices.create.map(hint), update: update.map(hint), unchanged, disabled: undefined }
  const counts: Counts = new Map()
  for (const { endpoints } of [...hints.create, ...hints.update, ...unchanged])
    for (const { hints } of endpoints) for (const { name } of hints?.forZones ?? []) add(counts, name, 1)
  return { ...hints, counts }
}

/** What each zone may have of `total` endpoints, or why that cannot be done fairly. */
function allocationsOf(total: number, shares: ZoneShares | undefined): ReadonlyMap<string, Allocation> | string {
  if (shares === undefined)
    return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes'
  const counts = `(${total} endpoints, ${shares.size} zones)`
  if (shares.size > total) return `Insufficient number of endpoints ${counts}`
  const parts = [...shares].map(([zone, share]) => {
    const desired = share * total
    const minimum = Math.ceil(desired * (1 / (1 + overloadThreshold)))
    return { zone, minimum, desired: Math.max(desired, minimum) }
  })
  const spare = parts.reduce((rest, { minimum }) => rest - minimum, total)
  if (spare < 0) {
    const says = 'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold'
    return `${says} ${counts}`
  }
  return new Map(
    parts.map(({ zone, minimum, desired }) => [zone, { minimum, desired, maximum: minimum + spare }] as const),
  )
}

/** How many hints a slice has for each zone; undefined when it cannot stay as it is. */
function countHints(
  { endpoints }: EndpointSlice,
  before: Counts,
  allocations: ReadonlyMap<string, Allocation>,
): Counts | undefined {
  const counts: Counts = new Map()
  for (const endpoint of endpoints.filter(isReady)) {
    const zones = endpoint.hints?.forZones ?? []
    if (zones.length === 0 || zones.some(({ name }) => !allocations.has(name))) return undefined
    for (const { name } of zones) add(counts, name, 1)
  }
  for (const [zone, count] of counts) {
    const maximum = allocations.get(zone)?.maximum ?? 0
    if (count + (before.get(zone) ?? 0) > maximum) return undefined
  }
  return counts
}

/** How many endpoints zones give to others, and how many zones get; a part of an endpoint below a half is not worth it. */
function exchange(allocations: ReadonlyMap<string, Allocation>, hinted: Counts): { giving: Counts; receiving: Counts } {
  const surplus: Counts = new Map()
  const lack: Counts = new Map()
  for (const [zone, { desired }] of allocations) {
    const over = (hinted.get(zone) ?? 0) - desired
    if (over > 0) surplus.set(zone, over)
    else if (over < 0) lack.set(zone, -over)
  }
  const giving: Counts = new Map()
  const receiving: Counts = new Map()
  for (;;) {
    const from = most(surplus)
    const to = most(lack)
    if (from === undefined || to === undefined) break
    if ((from.count < 1 && to.count < 1) || from.count < 0.5 || to.count < 0.5) break
    add(giving, from.zone, 1)
    add(surplus, from.zone, -1)
    add(receiving, to.zone, 1)
    add(lack, to.zone, -1)
  }
  grantMinima(allocations, hinted, giving, receiving)
  return { giving, receiving }
}

/** Upstream's rounding may leave a zone with less than its least part, even without any; whoever has most to spare gives it. */
function grantMinima(
  allocations: ReadonlyMap<string, Allocation>,
  hinted: Counts,
  giving: Counts,
  receiving: Counts,
): void {
  const spare: Counts = new Map()
  for (const [zone, { minimum }] of allocations) {
    const count = (hinted.get(zone) ?? 0) - (giving.get(zone) ?? 0) + (receiving.get(zone) ?? 0)
    spare.set(zone, count - minimum)
  }
  for (const [zone, over] of spare) {
    for (let lacks = -over; lacks > 0; lacks--) {
      const from = most(spare)
      if (from === undefined) return
      add(giving, from.zone, 1)
      add(spare, from.zone, -1)
      add(receiving, zone, 1)
    }
  }
}

function most(counts: Counts): { zone: string; count: number } | undefined {
  let best: { zone: string; count: number } | undefined
  for (const [zone, count] of counts) if (count > (best?.count ?? 0)) best = { zone, count }
  return best
}

/** Every ready endpoint for its own zone, but for those that its zone gives away. */
function redistribute(slice: EndpointSlice, giving: Counts, receiving: Counts): EndpointSlice {
  const endpoints = slice.endpoints.map((endpoint) => {
    const { hints, ...bare } = endpoint
    if (!isReady(endpoint)) return bare
    const own = endpoint.zone as string
    const to = (giving.get(own) ?? 0) > 0 ? most(receiving) : undefined
    if (to !== undefined) {
      add(giving, own, -1)
      add(receiving, to.zone, -1)
    }
    return { ...bare, hints: { forZones: [{ name: to?.zone ?? own }] } }
  })
  return { ...slice, endpoints }
}

function withoutHints({ create, update, unchanged }: HintedSlices, disabled: string): ZoneHints {
  const had = (slice: EndpointSlice) => slice.endpoints.some(({ hints }) => hints !== undefined)
  return {
    create: create.map(stripHints),
    update: [...update, ...unchanged.filter(had)].map(stripHints),
    unchanged: unchanged.filter((slice) => !had(slice)),
    disabled,
  }
}

/** The slice with no hint on any endpoint. */
export function stripHints(slice: EndpointSlice): EndpointSlice {
  return { ...slice, endpoints: slice.endpoints.map(({ hints, ...endpoint }) => endpoint) }
}

function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready === true
}

function add(counts: Counts, zone: string, by: number): void {
  counts.set(zone, (counts.get(zone) ?? 0) + by)
}
