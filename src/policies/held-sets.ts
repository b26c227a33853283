import {
  type Address,
  disjoint,
  type Family,
  families,
  familyOf,
  type Prefix,
  prefixFamily,
  renderPrefix,
} from '../addr/index.ts'
import { matches } from '../cluster/index.ts'
import { meansName } from './domain-name.ts'
import { elementsOf, HeldSet } from './held-set.ts'
import type { Operation } from './language.ts'
import { type FixedSets, fixedSets, tableOf } from './layout.ts'
import type { SetNeed } from './lower.ts'
import { type Membership, membersOf } from './membership.ts'
import type { NodesPeer } from './model.ts'
import type { PodView, PolicyNode, Selection } from './profile.ts'

/** The sets of one node's tables: those that every table has, and those that chains need, filled from selections as pods move. */
export class HeldSets {
  readonly fixed: Readonly<Record<Family, Readonly<Record<keyof FixedSets, HeldSet>>>>
  readonly #families: readonly Family[]
  readonly #membership: Membership
  readonly #sets: Readonly<Record<Family, Map<string, HeldSet>>> = { 4: new Map(), 6: new Map() }
  readonly #setsOf = new Map<Selection, Set<HeldSet>>()
  readonly #prefixes: Record<Family, ReadonlySet<string>> = { 4: new Set(), 6: new Set() }
  readonly #nodeSets = new Set<HeldSet>()
  readonly #nameSets: Readonly<Record<Family, Map<string, HeldSet>>> = { 4: new Map(), 6: new Map() }
  #nodes: readonly PolicyNode[] = []
  readonly #touched = new Set<HeldSet>()
  readonly #new = new Set<HeldSet>()
  readonly #gone = new Set<HeldSet>()

  constructor(only: readonly Family[], membership: Membership) {
    this.#families = only
    this.#membership = membership
    const make = (family: Family) => {
      const { egress, ingress, input, selves, ownPrefixes, resolvers, askers } = fixedSets[family]
      return {
        egress: new HeldSet(family, egress),
        ingress: new HeldSet(family, ingress),
        input: new HeldSet(family, input),
        selves: new HeldSet(family, selves),
        ownPrefixes: new HeldSet(family, ownPrefixes),
        resolvers: new HeldSet(family, resolvers),
        askers: new HeldSet(family, askers),
      }
    }
    this.fixed = { 4: make(4), 6: make(6) }
    for (const family of families) for (const set of Object.values(this.fixed[family])) set.fresh = false
  }

  /** How many sets chains need. */
  get size(): number {
    return this.#sets[4].size + this.#sets[6].size
  }

  /** Addresses of these prefixes are denied until their pods are known. */
  setOwnPrefixes(prefixes: readonly Prefix[]): void {
    for (const family of this.#families) {
      const set = this.fixed[family].ownPrefixes
      const wanted = new Set<string>(
        disjoint(prefixes.filter((one) => prefixFamily(one) === family)).map((one) => renderPrefix(one)),
      )
      for (const key of this.#prefixes[family]) if (!wanted.has(key)) this.put(set, key, undefined)
      for (const key of wanted) if (!this.#prefixes[family].has(key)) this.put(set, key, 1)
      this.#prefixes[family] = wanted
    }
  }

  /** These are the cluster's nodes. */
  setNodes(nodes: readonly PolicyNode[]): void {
    this.#nodes = nodes
    for (const set of this.#nodeSets) if (set.need?.kind === 'nodes') this.#fillNodes(set, set.need.peer)
  }

  /** The sets of domain names that chains need. */
  get names(): readonly HeldSet[] {
    return [...this.#nameSets[4].values(), ...this.#nameSets[6].values()]
  }

  /** An answer told an address for a name; tells whether a set has it longer than before. */
  learn(asked: string, address: Address, untilMs: number): boolean {
    let news = false
    for (const [domain, set] of this.#nameSets[familyOf(address)]) {
      if (!meansName(domain, asked) || !set.learn(address, untilMs)) continue
      this.#touched.add(set)
      news = true
    }
    return news
  }

  /** Until when an address counts for a domain name, in milliseconds since 1970; a time that has passed is remembered. */
  countsUntil(domain: string, address: Address): number {
    return Number(this.#nameSets[familyOf(address)].get(domain)?.get(address) ?? 0)
  }

  #fillNodes(set: HeldSet, peer: NodesPeer): void {
    const chosen = this.#nodes.filter(({ labels }) => matches(peer.nodes, labels))
    const wanted = new Set<string>(
      chosen.flatMap(({ addresses }) => addresses.filter((one) => familyOf(one) === set.family)),
    )
    for (const key of set.keys()) if (!wanted.has(key)) this.put(set, key, undefined)
    for (const key of wanted) if (set.get(key) === undefined) this.put(set, key, 1)
  }

  /** Writes one element of a fixed set; undefined takes it out. */
  put(set: HeldSet, key: string, value: string | number | undefined): void {
    set.set(key, value)
    this.#touched.add(set)
  }

  /** One chain more needs a set, which is made and filled for the first. */
  acquire(family: Family, need: SetNeed): void {
    const known = this.#sets[family].get(need.name)
    if (known !== undefined) {
      known.uses++
      return
    }
    const set = new HeldSet(family, need.declaration, need)
    set.uses = 1
    this.#sets[family].set(need.name, set)
    this.#new.add(set)
    if (need.kind === 'block') {
      for (const range of need.ranges) set.count(range, 1)
      return
    }
    if (need.kind === 'nodes') {
      this.#nodeSets.add(set)
      this.#fillNodes(set, need.peer)
      return
    }
    if (need.kind === 'names') {
      this.#nameSets[family].set(need.domain, set)
      return
    }
    const selection = this.#membership.acquire(need.peer)
    set.selection = selection
    const own = this.#setsOf.get(selection)
    if (own === undefined) this.#setsOf.set(selection, new Set([set]))
    else own.add(set)
    for (const view of membersOf(selection)) for (const key of elementsOf(need, family, view)) set.count(key, 1)
  }

  /** One chain fewer needs a set, which goes with the last. */
  release(family: Family, name: string): void {
    const set = this.#sets[family].get(name)!
    if (--set.uses > 0) return
    this.#sets[family].delete(name)
    this.#gone.add(set)
    this.#touched.delete(set)
    this.#nodeSets.delete(set)
    if (set.need?.kind === 'names') this.#nameSets[family].delete(set.need.domain)
    const { selection } = set
    if (selection === undefined) return
    this.#setsOf.get(selection)?.delete(set)
    if (this.#setsOf.get(selection)?.size === 0) this.#setsOf.delete(selection)
    this.#membership.release(selection)
  }

  /** A pod enters or leaves a selection, and so the sets of it. */
  move(selection: Selection, view: PodView, change: 'joins' | 'leaves'): void {
    for (const set of this.#setsOf.get(selection) ?? []) {
      if (set.need === undefined) continue
      for (const key of elementsOf(set.need, set.family, view)) {
        set.count(key, change === 'joins' ? 1 : -1)
        this.#touched.add(set)
      }
    }
  }

  /** Makes the sets that this round's chains need. */
  added(): readonly Operation[] {
    const operations: Operation[] = []
    for (const set of this.#new) {
      operations.push({ kind: 'add-set', ...tableOf(set.family), set: set.declaration }, ...set.take().operations)
    }
    return operations
  }

  /** Changes elements; `lost` and `gained` name the sets from which something was taken, or into which it was put. */
  changed(): {
    readonly operations: readonly Operation[]
    readonly lost: ReadonlySet<string>
    readonly gained: ReadonlySet<string>
  } {
    const operations: Operation[] = []
    const lost = new Set<string>()
    const gained = new Set<string>()
    for (const set of this.#touched) {
      const taken = set.take()
      operations.push(...taken.operations)
      if (taken.lost) lost.add(set.declaration.name)
      if (taken.gained) gained.add(set.declaration.name)
    }
    return { operations, lost, gained }
  }

  /** Removes what no chain needs any more. */
  removed(): readonly Operation[] {
    return [...this.#gone].map(
      (set): Operation => ({ kind: 'delete-set', ...tableOf(set.family), set: set.declaration.name }),
    )
  }

  /** Ends a round: what was noted in it has been told. */
  settle(): void {
    for (const noted of [this.#touched, this.#new, this.#gone]) noted.clear()
  }

  /** Every set that chains need with its elements, for a table that has none. */
  all(family: Family): readonly Operation[] {
    const at = tableOf(family)
    const sets = [...this.#sets[family].values()]
    return [
      ...sets.map(({ declaration }): Operation => ({ kind: 'add-set', ...at, set: declaration })),
      ...tellAll(sets),
    ]
  }

  /** The elements of the fixed sets, for a table that has none: verdicts need their chains before them. */
  allFixed(family: Family): readonly Operation[] {
    return tellAll(Object.values(this.fixed[family]))
  }
}

function tellAll(sets: readonly HeldSet[]): readonly Operation[] {
  const operations = sets.flatMap((set) => set.all())
  for (const set of sets) set.settle()
  return operations
}
