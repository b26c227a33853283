import { type Address, type Family, families, familyOf } from '../addr/index.ts'
import type { Finding, ObjectKey } from '../cluster/index.ts'
import { AffinityChains, type AffinityRequest } from './affinity.ts'
import { conflictsOf, electOwner, type Slot } from './claims.ts'
import { ElementChanges, ElementContents, type ElementSink, unheard } from './element-changes.ts'
import { type Held, putAddress, putFrontend, removeAddress } from './held.ts'
import { createTable, growClass, growLocalClass } from './layout.ts'
import type { LoweredFrontend, LoweredService, Operation } from './lower.ts'
import { placeEndpoints } from './place.ts'
import { type ServicesScope, scopeElements } from './scope.ts'
import { type Class, classId } from './sets.ts'
import { findStale, type StaleFlows, staleFlows } from './stale.ts'

/** What one round has to do. */
export interface ServicesPlan {
  readonly operations: readonly Operation[]
  /** To be looked through after the operations are in the kernel. Never TCP: it would break the closing of connections. */
  readonly stale: readonly StaleFlows[]
}

/**
 * The desired contents of the tables, kept per Service so that a change yields the elements that change. It does not know
 * the kernel: whoever commits a plan and fails asks for `full()` next, which replaces the tables whole.
 */
export class ServiceTables {
  readonly #families: readonly Family[]
  readonly #loopbackNodePorts: boolean
  readonly #services = new Map<ObjectKey, LoweredService>()
  readonly #slots = new Map<string, Slot>()
  readonly #contested = new Set<string>()
  /** How many ports a ClusterIP has, and how many Services a local endpoint has. */
  readonly #clusterIps = new Map<Address, number>()
  readonly #hairpins = new Map<Address, number>()
  /** Classes that have their chains, by their ids. */
  readonly #grown: Readonly<Record<Family, Set<string>>> = { 4: new Set(), 6: new Set() }
  readonly #affinity: Readonly<Record<Family, AffinityChains>> = { 4: new AffinityChains(4), 6: new AffinityChains(6) }
  #scope: ServicesScope = { podPrefixes: [], ownPodPrefixes: [], servicePrefixes: [] }

  /** `loopbackNodePorts`: whether the tables guard 127.0.0.0/8 because node ports answer there. */
  constructor(served: readonly Family[] = families, loopbackNodePorts = false) {
    this.#families = served
    this.#loopbackNodePorts = loopbackNodePorts
  }

  /** Takes the new meaning of some Services (undefined for those that are gone). */
  update(changes: Iterable<readonly [ObjectKey, LoweredService | undefined]>): ServicesPlan {
    const elements = new ElementChanges()
    const touched = new Set<string>()
    for (const [key, next] of changes) this.#claim(key, next, touched, elements)
    const growth: Operation[] = []
    const stale: StaleFlows[] = []
    for (const id of touched) this.#settle(id, elements, growth, stale)
    for (const family of this.#families) growth.push(...this.#affinity[family].settle(elements))
    return { operations: [...growth, ...elements.operations()], stale }
  }

  /** As `update`, for whoever wants `full()` next: the same desired contents, without the way there. Tells the flows of what is gone. */
  absorb(changes: Iterable<readonly [ObjectKey, LoweredService | undefined]>): readonly StaleFlows[] {
    const touched = new Set<string>()
    const stale: StaleFlows[] = []
    for (const [key, next] of changes) this.#claim(key, next, touched, unheard)
    for (const id of touched) this.#settle(id, unheard, [], stale)
    for (const family of this.#families) this.#affinity[family].settle(unheard)
    return stale.filter(({ address, port }) => !this.#slots.has(`${address} . udp . ${port}`))
  }

  /** Takes new prefixes. */
  rescope(scope: ServicesScope): readonly Operation[] {
    const elements = new ElementChanges()
    for (const { family, set, keys } of scopeElements(this.#families, this.#scope)) {
      for (const key of keys) elements.remove(family, set, { key })
    }
    this.#scope = scope
    for (const { family, set, keys } of scopeElements(this.#families, this.#scope)) {
      for (const key of keys) elements.add(family, set, { key })
    }
    return elements.operations()
  }

  /** Everything, for tables that are not there; all UDP frontends are to be looked through. */
  full(): ServicesPlan {
    const elements = new ElementContents()
    const operations: Operation[] = []
    const stale: StaleFlows[] = []
    for (const family of families) {
      this.#grown[family].clear()
      if (!this.#families.includes(family)) continue
      operations.push(...createTable(family, this.#loopbackNodePorts), ...this.#affinity[family].full(elements))
    }
    for (const { held } of this.#slots.values()) {
      if (held === undefined) continue
      this.#grow(held, operations)
      putFrontend(undefined, held, elements)
      if (held.frontend.protocol === 'udp') stale.push(staleFlows(held.frontend, held.frontend.serving))
    }
    for (const address of this.#clusterIps.keys()) putAddress(elements, 'clusterIps', address)
    for (const address of this.#hairpins.keys()) putAddress(elements, 'hairpin', address)
    for (const { family, set, keys } of scopeElements(this.#families, this.#scope)) {
      for (const key of keys) elements.add(family, set, { key })
    }
    return { operations: [...operations, ...elements.operations()], stale }
  }

  /** Services that want a frontend which an older one has. */
  conflicts(): readonly Finding[] {
    return [...this.#contested].flatMap((id) => conflictsOf(id, this.#slots.get(id)!))
  }

  /** What is desired for a frontend, by its key in `service-class`. */
  find(id: string): Pick<Held, 'owner' | 'class' | 'endpoints' | 'inside' | 'taken'> | undefined {
    return this.#slots.get(id)?.held
  }

  /** Whether the set `affinity` may lead clients to this seat. */
  hasSeat(family: Family, seat: string): boolean {
    return this.#affinity[family].hasSeat(seat)
  }

  #claim(key: ObjectKey, next: LoweredService | undefined, touched: Set<string>, elements: ElementSink): void {
    const old = this.#services.get(key)
    for (const { id } of old?.frontends ?? []) {
      this.#slots.get(id)?.claims.delete(key)
      touched.add(id)
    }
    for (const frontend of next?.frontends ?? []) {
      if (!this.#families.includes(frontend.family)) continue
      const { id } = frontend
      let slot = this.#slots.get(id)
      if (slot === undefined) {
        slot = { claims: new Map() }
        this.#slots.set(id, slot)
      }
      // Two ports of one Service with one number and protocol are refused by the API server; the first counts here.
      if (!slot.claims.has(key)) slot.claims.set(key, { created: next?.created ?? '', frontend })
      touched.add(id)
    }
    for (const address of next?.hairpins ?? []) this.#count(this.#hairpins, 'hairpin', address, 1, elements)
    for (const address of old?.hairpins ?? []) this.#count(this.#hairpins, 'hairpin', address, -1, elements)
    if (next === undefined) this.#services.delete(key)
    else this.#services.set(key, next)
  }

  /** Decides who has a frontend and brings the elements there. */
  #settle(id: string, elements: ElementSink, growth: Operation[], stale: StaleFlows[]): void {
    const slot = this.#slots.get(id)
    if (slot === undefined) return
    const before = slot.held
    const owner = electOwner(slot)
    const frontend = owner === undefined ? undefined : slot.claims.get(owner)?.frontend
    if (slot.claims.size > 1) this.#contested.add(id)
    else this.#contested.delete(id)
    const after = owner === undefined || frontend === undefined ? undefined : this.#hold(owner, frontend, before)
    for (const request of before?.taken ?? []) this.#affinity[before!.frontend.family].release(request)
    if (after === undefined) this.#slots.delete(id)
    else slot.held = after
    if (after !== undefined) this.#grow(after, growth)
    putFrontend(before, after, elements)
    this.#countClusterIp(before?.frontend, -1, elements)
    this.#countClusterIp(after?.frontend, 1, elements)
    const flows = findStale(before?.frontend, after?.frontend)
    if (flows !== undefined) stale.push(flows)
  }

  /** Gives the endpoints their indexes or seats, and the frontend the classes that lead there. */
  #hold(owner: ObjectKey, frontend: LoweredFrontend, before: Held | undefined): Held {
    const { family, action } = frontend
    // A table's places are computed; where they are drawn, who stays keeps its own.
    const place =
      frontend.hashed === undefined ? placeEndpoints : (_: readonly string[], table: readonly string[]) => table
    const endpoints = place(before?.endpoints ?? [], frontend.endpoints)
    const inside = place(before?.inside ?? [], frontend.inside ?? [])
    const held = { owner, frontend, endpoints, inside }
    if (action === 'reject') return { ...held, class: undefined, insideClass: undefined, taken: [] }
    const local = frontend.inside !== undefined
    const taken: AffinityRequest[] = []
    const classOf = (some: readonly string[], scope: AffinityRequest['scope']): Class => {
      const { affinity, hashed, comment } = frontend
      const kind = scope === 'outside' ? 'local' : 'balance'
      const plain: Class = { kind, count: some.length, hashed: some.length === 0 ? undefined : hashed }
      if (affinity === undefined || some.length === 0) return plain
      const request = { port: affinity.port, seconds: affinity.seconds, scope, endpoints: some, comment }
      const seated = this.#affinity[family].take(request)
      if (seated === undefined) return plain
      taken.push(request)
      return seated
    }
    return {
      ...held,
      class: classOf(frontend.endpoints, local ? 'outside' : (frontend.affinity?.scope ?? 'cluster')),
      insideClass: local ? classOf(frontend.inside, 'cluster') : undefined,
      taken,
    }
  }

  #grow({ frontend: { family }, class: outer, insideClass }: Held, operations: Operation[]): void {
    for (const one of [outer, insideClass]) {
      if (one === undefined || !('count' in one) || this.#grown[family].has(classId(one))) continue
      this.#grown[family].add(classId(one))
      if (one.kind === 'local') operations.push(...growLocalClass(family, one.count, one.hashed))
      // A new table has these two.
      else if (one.count > 1) operations.push(...growClass(family, one.count, one.hashed))
    }
  }

  #countClusterIp(frontend: LoweredFrontend | undefined, by: 1 | -1, elements: ElementSink): void {
    if (frontend?.reach === 'cluster-ip') this.#count(this.#clusterIps, 'clusterIps', frontend.address, by, elements)
  }

  #count(
    counts: Map<Address, number>,
    set: 'clusterIps' | 'hairpin',
    address: Address,
    by: 1 | -1,
    elements: ElementSink,
  ): void {
    if (!this.#families.includes(familyOf(address))) return
    const count = (counts.get(address) ?? 0) + by
    if (count === 0) {
      counts.delete(address)
      removeAddress(elements, set, address)
    } else {
      counts.set(address, count)
      if (by === 1 && count === 1) putAddress(elements, set, address)
    }
  }
}
