import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { ElementSink } from './element-changes.ts'
import { classOf, indexOf, sets } from './layout.ts'
import type { Element, LoweredFrontend } from './lower.ts'

/** UDP flows to look through: those to the frontend whose replies come from none of `serving` are to be forgotten. */
export interface StaleFlows {
  readonly family: Family
  readonly address: Address
  readonly port: number
  /** `ADDRESS . PORT` of each endpoint that may keep its flows. */
  readonly serving: ReadonlySet<string>
}

/** What a frontend has in the kernel once the plans so far are committed. */
export interface Held {
  readonly owner: ObjectKey
  readonly frontend: LoweredFrontend
  readonly endpoints: readonly string[]
}

/** The class of a frontend's port in `service-class`; undefined where connections are refused. */
export function classValue({ frontend, endpoints }: Held): string | undefined {
  if (frontend.action === 'reject') return undefined
  return classOf(endpoints.length)
}

/** Tells the elements that part one state of a frontend from another. */
export function putFrontend(before: Held | undefined, after: Held | undefined, elements: ElementSink): void {
  const { family, id } = (after ?? before)!.frontend
  const { serviceClass, endpoints } = sets[family]
  const old = before && classElement(before)
  const next = after && classElement(after)
  if (old?.value !== next?.value || old?.comment !== next?.comment) {
    if (old !== undefined) elements.remove(family, serviceClass, old)
    if (next !== undefined) elements.add(family, serviceClass, next)
  }
  const from = before?.endpoints ?? []
  const to = after?.endpoints ?? []
  for (let i = 0; i < Math.max(from.length, to.length); i++) {
    if (from[i] === to[i]) continue
    const key = `${id} . ${indexOf(i)}`
    if (from[i] !== undefined) elements.remove(family, endpoints, { key, value: from[i]! })
    if (to[i] !== undefined) elements.add(family, endpoints, { key, value: to[i]! })
  }
}

function classElement(held: Held): Element | undefined {
  const value = classValue(held)
  return value === undefined ? undefined : { key: held.frontend.id, value, comment: held.frontend.comment }
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

/** Flows are looked through when an endpoint stopped to serve, and when a frontend appears, gets its first endpoint or goes. */
export function findStale(
  before: LoweredFrontend | undefined,
  after: LoweredFrontend | undefined,
): StaleFlows | undefined {
  const frontend = after ?? before
  if (frontend === undefined || frontend.protocol !== 'udp') return undefined
  const flows = staleFlows(frontend, after?.serving ?? [])
  const lost = before?.serving.some((endpoint) => !flows.serving.has(endpoint)) ?? true
  const first = before?.serving.length === 0 && flows.serving.size > 0
  return lost || first || after === undefined ? flows : undefined
}

/** The flows to a frontend that are to be looked through. */
export function staleFlows({ family, address, port }: LoweredFrontend, serving: readonly string[]): StaleFlows {
  return { family, address, port, serving: new Set(serving) }
}
