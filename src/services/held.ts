import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { AffinityRequest } from './affinity.ts'
import type { ElementSink } from './element-changes.ts'
import type { Element, LoweredFrontend } from './lower.ts'
import { type Class, classId, classidOf, type Sets, sets } from './sets.ts'

/** What a frontend has in the kernel once the plans so far are committed. */
export interface Held {
  readonly owner: ObjectKey
  readonly frontend: LoweredFrontend
  /** In the order of their indexes; with `inside`, for who comes from outside. */
  readonly endpoints: readonly string[]
  readonly inside: readonly string[]
  /** Undefined where connections are refused. */
  readonly class: Class | undefined
  readonly insideClass: Class | undefined
  /** What was taken of the affinity chains. */
  readonly taken: readonly AffinityRequest[]
}

/** Tells the elements that part one state of a frontend from another. */
export function putFrontend(before: Held | undefined, after: Held | undefined, elements: ElementSink): void {
  const { family, id } = (after ?? before)!.frontend
  const old = before === undefined ? [] : ownElements(before)
  const next = after === undefined ? [] : ownElements(after)
  for (const [set, element] of old) {
    if (!next.some((other) => sameElement(other, [set, element]))) elements.remove(family, sets[family][set], element)
  }
  for (const [set, element] of next) {
    if (!old.some((other) => sameElement(other, [set, element]))) elements.add(family, sets[family][set], element)
  }
  const from = before === undefined ? nowhere : indexed(before)
  const to = after === undefined ? nowhere : indexed(after)
  putIndexed(elements, family, 'endpoints', id, from.endpoints, to.endpoints)
  putIndexed(elements, family, 'localEndpoints', id, from.localEndpoints, to.localEndpoints)
}

type Indexed = Readonly<Record<'endpoints' | 'localEndpoints', readonly string[]>>

const nowhere: Indexed = { endpoints: [], localEndpoints: [] }

/** The contents of the maps by index. Clients with seats need none but the first, for those whose seat has just gone. */
function indexed(held: Held): Indexed {
  const { frontend, endpoints, inside } = held
  if (held.taken.length > 0) {
    const [first = frontend.inside?.[0]] = frontend.endpoints
    return { endpoints: first === undefined ? [] : [first], localEndpoints: [] }
  }
  if (frontend.inside === undefined) return { endpoints, localEndpoints: [] }
  return { endpoints: inside, localEndpoints: endpoints }
}

function putIndexed(
  elements: ElementSink,
  family: Family,
  map: keyof Indexed,
  id: string,
  from: readonly string[],
  to: readonly string[],
): void {
  if (from === to) return
  for (let i = 0; i < Math.max(from.length, to.length); i++) {
    if (from[i] === to[i]) continue
    const key = `${id} . ${classidOf(i)}`
    if (from[i] !== undefined) elements.remove(family, sets[family][map], { key, value: from[i]! })
    if (to[i] !== undefined) elements.add(family, sets[family][map], { key, value: to[i]! })
  }
}

type Own = readonly [set: keyof Sets, element: Element]

/** All elements of a frontend but its endpoints. */
function ownElements(held: Held): readonly Own[] {
  const { frontend } = held
  const { id, comment, reach, action, sources } = frontend
  const own: Own[] = []
  if (held.class !== undefined) own.push(['serviceClass', { key: id, value: classId(held.class), comment }])
  if (held.insideClass !== undefined) own.push(['insideClass', { key: id, value: classId(held.insideClass) }])
  if (reach !== 'cluster-ip') {
    if (action === 'reject') own.push(['noEndpoints', { key: id, comment }])
    else own.push([reach === 'external-cluster' ? 'externalCluster' : 'externalLocal', { key: id }])
  }
  if (sources !== undefined) {
    own.push(['sourceRanged', { key: id }])
    for (const prefix of sources) own.push(['allowedSources', { key: `${id} . ${prefix}` }])
  }
  return own
}

function sameElement([set, a]: Own, [other, b]: Own): boolean {
  return set === other && a.key === b.key && a.value === b.value && a.comment === b.comment
}

/** Adds an address to one of the sets of addresses. */
export function putAddress(elements: ElementSink, set: 'clusterIps' | 'hairpin', address: Address): void {
  elements.add(familyOf(address), sets[familyOf(address)][set], addressElement(set, address))
}

/** Takes an address out again. */
export function removeAddress(elements: ElementSink, set: 'clusterIps' | 'hairpin', address: Address): void {
  elements.remove(familyOf(address), sets[familyOf(address)][set], addressElement(set, address))
}

function addressElement(set: 'clusterIps' | 'hairpin', address: Address): Element {
  return { key: set === 'hairpin' ? `${address} . ${address}` : address }
}
