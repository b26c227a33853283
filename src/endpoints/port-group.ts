import type { Endpoint, EndpointPort, EndpointSlice } from '../objects/index.ts'
import { endpointKey, sameEndpoint } from './pod-endpoint.ts'
import { followsLabels } from './slice-object.ts'

/** What should happen to the slices of one group; `contents` are whole lists of endpoints. */
export interface Packing {
  readonly create: readonly (readonly Endpoint[])[]
  readonly update: ReadonlyMap<string, readonly Endpoint[]>
  readonly delete: readonly string[]
}

/**
 * The endpoints of one (family, port list) and the slices that hold them. Each change marks only the slices it touches, so that
 * packing costs the changed slices and not the Service.
 */
export class PortGroup {
  readonly ports: readonly EndpointPort[]
  readonly slices = new Map<string, EndpointSlice>()
  /** Pods whose ports are this group's, whether or not they have an endpoint here. */
  members = 0
  readonly #desired = new Map<string, Endpoint>()
  readonly #placed = new Map<string, string>()
  readonly #unplaced = new Set<string>()
  readonly #dirty = new Set<string>()
  #duplicated = false

  constructor(ports: readonly EndpointPort[]) {
    this.ports = ports
  }

  want(key: string, endpoint: Endpoint): void {
    this.#desired.set(key, endpoint)
    const slice = this.#placed.get(key)
    if (slice === undefined) this.#unplaced.add(key)
    else this.#dirty.add(slice)
  }

  unwant(key: string): void {
    this.#desired.delete(key)
    this.#unplaced.delete(key)
    const slice = this.#placed.get(key)
    if (slice !== undefined) this.#dirty.add(slice)
  }

  /** Takes the newest version of a slice, or its absence. */
  setSlice(name: string, slice: EndpointSlice | undefined): void {
    const old = this.slices.get(name)
    if (old !== undefined) this.#release(name, old)
    if (slice === undefined) this.slices.delete(name)
    else this.slices.set(name, slice)
    this.#dirty.delete(name)
    if (this.#duplicated) this.#reindex()
    else if (slice !== undefined) this.#claim(name, slice)
  }

  /** Every slice has to be looked at again. */
  touchAll(): void {
    for (const name of this.slices.keys()) this.#dirty.add(name)
  }

  /**
   * Packs as upstream's reconcileByPortMapping: drop and refresh in place, fill the slices that change anyway (fullest first), then
   * one unchanged slice that the rest fits best, then new slices. Never rebalances.
   */
  pack(max: number, labels: Readonly<Record<string, string>>): Packing {
    const update = new Map<string, Endpoint[]>()
    const removed: string[] = []
    for (const name of this.#dirty) this.#refresh(name, labels, update, removed)
    const rest = [...this.#unplaced].map((key) => this.#desired.get(key)!)
    const fill = (endpoints: Endpoint[]) => endpoints.push(...rest.splice(0, Math.max(0, max - endpoints.length)))
    for (const endpoints of [...update.values()].sort((a, b) => b.length - a.length)) fill(endpoints)
    const create: Endpoint[][] = []
    while (rest.length > 0) {
      const name = rest.length < max ? this.#bestFit(rest.length, max, update, removed) : undefined
      const endpoints = name === undefined ? [] : [...this.slices.get(name)!.endpoints.map((e) => this.#current(e))]
      fill(endpoints)
      if (name === undefined) create.push(endpoints)
      else update.set(name, endpoints)
    }
    return { create, update, delete: removed }
  }

  #refresh(
    name: string,
    labels: Readonly<Record<string, string>>,
    update: Map<string, Endpoint[]>,
    removed: string[],
  ): void {
    const slice = this.slices.get(name)!
    const kept: Endpoint[] = []
    const seen = new Set<string>()
    let changed = false
    for (const endpoint of slice.endpoints) {
      const key = endpointKey(endpoint)
      const wanted = this.#placed.get(key) === name && !seen.has(key) ? this.#desired.get(key) : undefined
      seen.add(key)
      if (wanted === undefined) changed = true
      else {
        if (!sameEndpoint(wanted, endpoint)) changed = true
        kept.push(wanted)
      }
    }
    if (!changed && followsLabels(slice, labels)) this.#dirty.delete(name)
    else if (changed && kept.length === 0) removed.push(name)
    else update.set(name, kept)
  }

  #current(endpoint: Endpoint): Endpoint {
    return this.#desired.get(endpointKey(endpoint)) ?? endpoint
  }

  #bestFit(
    count: number,
    max: number,
    update: ReadonlyMap<string, unknown>,
    removed: readonly string[],
  ): string | undefined {
    let best: string | undefined
    let least = max
    for (const [name, slice] of this.slices) {
      if (update.has(name) || removed.includes(name)) continue
      const room = max - slice.endpoints.length - count
      if (room < 0 || room >= least) continue
      best = name
      least = room
    }
    return best
  }

  #claim(name: string, slice: EndpointSlice): void {
    this.#dirty.add(name)
    for (const endpoint of slice.endpoints) {
      const key = endpointKey(endpoint)
      const holder = this.#placed.get(key)
      if (holder === undefined) {
        this.#placed.set(key, name)
        this.#unplaced.delete(key)
      } else if (holder !== name) this.#duplicated = true
    }
  }

  #release(name: string, slice: EndpointSlice): void {
    for (const endpoint of slice.endpoints) {
      const key = endpointKey(endpoint)
      if (this.#placed.get(key) !== name) continue
      this.#placed.delete(key)
      if (this.#desired.has(key)) this.#unplaced.add(key)
    }
  }

  /** Two slices held one endpoint: who keeps it depends on all slices, so all are read again. Rare. */
  #reindex(): void {
    this.#duplicated = false
    this.#placed.clear()
    this.#unplaced.clear()
    for (const key of this.#desired.keys()) this.#unplaced.add(key)
    for (const [name, slice] of this.slices) this.#claim(name, slice)
  }
}
