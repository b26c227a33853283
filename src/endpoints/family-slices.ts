import type { Endpoint, EndpointPort, EndpointSlice, Service } from '../objects/index.ts'
import type { SliceFamily } from './address-types.ts'
import { PortGroup } from './port-group.ts'
import { portsKey } from './ports.ts'
import { followsLabels, inPlaceOf, isOwnedBy, newSlice } from './slice-object.ts'

/** What to write so that the slices say what the objects mean. Deletes come last. */
export interface SlicePlan {
  readonly create: readonly EndpointSlice[]
  readonly update: readonly EndpointSlice[]
  readonly delete: readonly EndpointSlice[]
}

/** One Service's slices of one family: groups by port list, and slices that are not this Service's. */
export class FamilySlices {
  readonly family: SliceFamily
  readonly #groups = new Map<string, PortGroup>()
  readonly #groupOf = new Map<string, string>()
  readonly #foreign = new Map<string, EndpointSlice>()
  #count = 0

  constructor(family: SliceFamily) {
    this.family = family
  }

  /** The group of a port list; made when it is new. */
  group(key: string, ports: readonly EndpointPort[]): PortGroup {
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new PortGroup(ports)
      this.#groups.set(key, group)
    }
    return group
  }

  setSlice(name: string, slice: EndpointSlice | undefined, service: Service): void {
    const before = this.#groupOf.get(name)
    const key = slice !== undefined && isOwnedBy(slice, service) ? portsKey(slice.ports) : undefined
    if (before !== undefined || this.#foreign.has(name)) this.#count--
    if (slice !== undefined) this.#count++
    if (before !== undefined && before !== key) this.#groups.get(before)?.setSlice(name, undefined)
    this.#foreign.delete(name)
    this.#groupOf.delete(name)
    if (slice === undefined) return
    if (key === undefined) this.#foreign.set(name, slice)
    else {
      this.#groupOf.set(name, key)
      this.group(key, slice.ports ?? []).setSlice(name, slice)
    }
  }

  touchAll(): void {
    for (const group of this.#groups.values()) group.touchAll()
  }

  /** All slices, owned or not. */
  *slices(): Iterable<EndpointSlice> {
    for (const group of this.#groups.values()) yield* group.slices.values()
    yield* this.#foreign.values()
  }

  plan(service: Service, labels: Readonly<Record<string, string>>, max: number): SlicePlan {
    const create: EndpointSlice[] = []
    const update: EndpointSlice[] = []
    let removed: EndpointSlice[] = [...this.#foreign.values()]
    for (const [key, group] of this.#groups) {
      if (group.members === 0) {
        removed.push(...group.slices.values())
        if (group.slices.size === 0) this.#groups.delete(key)
        continue
      }
      const packing = group.pack(max, labels)
      for (const endpoints of packing.create) create.push(newSlice(service, this.family, group.ports, endpoints))
      for (const [name, endpoints] of packing.update)
        update.push(revised(group.slices.get(name)!, labels, endpoints as Endpoint[]))
      for (const name of packing.delete) removed.push(group.slices.get(name)!)
    }
    if (this.#count === removed.length && create.length === 0) {
      // A Service always has a slice per family, so that "no endpoints" can be told from "not processed yet".
      if (removed.length === 1 && isPlaceholder(removed[0]!, service, labels)) removed = []
      else create.push(newSlice(service, this.family, [], []))
    }
    return reuseNames(service, { create, update, delete: removed })
  }
}

function revised(slice: EndpointSlice, labels: Readonly<Record<string, string>>, endpoints: Endpoint[]): EndpointSlice {
  return { ...slice, metadata: { ...slice.metadata, labels: { ...labels } }, endpoints }
}

function isPlaceholder(slice: EndpointSlice, service: Service, labels: Readonly<Record<string, string>>): boolean {
  const bare = slice.endpoints.length === 0 && (slice.ports ?? []).length === 0
  return bare && isOwnedBy(slice, service) && followsLabels(slice, labels)
}

/** Turns a create and a delete into one update, which keeps a name alive; a slice of another owner is left to go. */
function reuseNames(service: Service, plan: SlicePlan): SlicePlan {
  const create = [...plan.create]
  const update = [...plan.update]
  const removed: EndpointSlice[] = []
  for (const old of plan.delete) {
    const slice = isOwnedBy(old, service) ? create.pop() : undefined
    if (slice === undefined) removed.push(old)
    else update.push(inPlaceOf(old, slice))
  }
  // The garbage collector is taking the slices of a Service that goes: making new ones would race with it.
  return { create: service.metadata.deletionTimestamp === undefined ? create : [], update, delete: removed }
}
