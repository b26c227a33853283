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
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { compilePolicy } from './compile.ts'
import { type Content, compose } from './content.ts'
import { elementsOf, HeldSet } from './held-set.ts'
import { type Attempt, judgeSide, type Party, type SideVerdict } from './judge.ts'
import {
  chainName,
  createTable,
  fixedSets,
  type LoweredChain,
  lowerContent,
  type Operation,
  openVerdict,
  tableOf,
} from './lower.ts'
import { Membership, membersOf } from './membership.ts'
import type { Direction } from './model.ts'
import { PolicyIndex } from './policy-index.ts'
import type { PodView, Profile, Selection } from './profile.ts'

/** What a round does to the tables of policies. */
export interface PoliciesPlan {
  readonly operations: readonly Operation[]
  /** Addresses of this node's pods that may have lost permissions: their live connections are to be judged again. */
  readonly tightened: ReadonlySet<Address>
}

interface HeldChain {
  readonly direction: Direction
  readonly content: Extract<Content, { kind: 'closed' }>
  readonly lowered: Readonly<Record<Family, LoweredChain>>
  uses: number
}

interface Local {
  readonly view: PodView
  /** Chains by direction; absent where the pod is open. */
  readonly chains: Readonly<Partial<Record<Direction, string>>>
}

interface Contents {
  readonly egress: Content
  readonly ingress: Content
}

/**
 * The policies of all pods on one node as desired in the kernel: chains for local pods alone, sets only of the selectors that
 * those chains use. A change costs the pods, chains and elements that it touches.
 */
export class PolicyTables {
  readonly #node: string
  readonly #families: readonly Family[]
  readonly #index = new PolicyIndex()
  readonly #membership: Membership
  readonly #fixed: Readonly<Record<Family, Readonly<Record<'egress' | 'ingress' | 'selves' | 'ownPrefixes', HeldSet>>>>
  readonly #sets: Readonly<Record<Family, Map<string, HeldSet>>> = { 4: new Map(), 6: new Map() }
  readonly #setsOf = new Map<Selection, Set<HeldSet>>()
  readonly #chains = new Map<string, HeldChain>()
  readonly #contents = new Map<string, WeakMap<Profile, Contents>>()
  readonly #locals = new Map<ObjectKey, Local>()
  readonly #localsOf = new Map<string, Set<ObjectKey>>()
  /** Local pods by address; of two, the last one counts. */
  readonly #claims = new Map<Address, ObjectKey[]>()
  readonly #attached = new Map<ObjectKey, readonly Address[]>()
  readonly #touched = new Set<HeldSet>()
  readonly #newSets = new Set<HeldSet>()
  readonly #goneSets = new Set<HeldSet>()
  readonly #newChains = new Set<string>()
  readonly #goneChains = new Set<string>()
  #findingCount = 0

  constructor(node: string, only: readonly Family[] = families) {
    this.#node = node
    this.#families = only
    this.#membership = new Membership((selection, view, change) => this.#move(selection, view, change))
    const make = (family: Family) => {
      const { egress, ingress, selves, ownPrefixes } = fixedSets[family]
      return {
        egress: new HeldSet(family, egress),
        ingress: new HeldSet(family, ingress),
        selves: new HeldSet(family, selves),
        ownPrefixes: new HeldSet(family, ownPrefixes),
      }
    }
    this.#fixed = { 4: make(4), 6: make(6) }
    for (const family of families) for (const set of Object.values(this.#fixed[family])) set.fresh = false
  }

  get findings(): readonly Finding[] {
    return this.#findingCount === 0 ? [] : [...this.#index.models.values()].flatMap(({ findings }) => findings)
  }

  get findingCount(): number {
    return this.#findingCount
  }

  /** How much is held: for tests and metrics. */
  get size(): { readonly chains: number; readonly sets: number; readonly pods: number } {
    return { chains: this.#chains.size, sets: this.#sets[4].size + this.#sets[6].size, pods: this.#locals.size }
  }

  /** A pod of this node has addresses that its status does not tell yet; the pod counts as changed from the caller's next `update`. */
  attach(key: ObjectKey, addresses: readonly Address[]): void {
    this.#attached.set(key, addresses)
  }

  /** Whether a local pod's policies are part of what is desired. */
  knows(address: Address): boolean {
    return this.#claims.has(address)
  }

  /** The prefixes of this node: addresses there are denied until their pods are known. */
  setOwnPrefixes(prefixes: readonly Prefix[]): void {
    for (const family of this.#families) {
      const set = this.#fixed[family].ownPrefixes
      const wanted = new Set<string>(
        disjoint(prefixes.filter((one) => prefixFamily(one) === family)).map((one) => renderPrefix(one)),
      )
      for (const key of this.#prefixes[family]) if (!wanted.has(key)) this.#put(set, key, undefined)
      for (const key of wanted) if (!this.#prefixes[family].has(key)) this.#put(set, key, 1)
      this.#prefixes[family] = wanted
    }
  }

  readonly #prefixes: Record<Family, Set<string>> = { 4: new Set(), 6: new Set() }

  /** Takes in what changed; everything when `changes` is absent. */
  update(snapshot: Snapshot, changes?: Pick<Changes, 'pods' | 'namespaces' | 'policies'>): PoliciesPlan {
    const dirty = new Set<ObjectKey>()
    this.#takePolicies(snapshot, changes?.policies ?? snapshot.policies.keys(), dirty)
    for (const name of changes?.namespaces ?? snapshot.namespaces.keys()) {
      this.#membership.setNamespace(name, snapshot.namespaces.get(name)?.metadata.labels)
    }
    for (const key of changes?.pods ?? snapshot.pods.keys()) this.#takePod(key, snapshot.pods.get(key), dirty)
    const tightened = new Set<Address>()
    // Whatever one pod lets go another may take up: nothing is released before all have what they need.
    const released = [...dirty].flatMap((key) => this.#settle(key, tightened))
    for (const name of released) this.#releaseChain(name)
    return { operations: this.#takeOperations(tightened), tightened }
  }

  /** Everything, for tables that are not there. */
  full(): PoliciesPlan {
    const operations: Operation[] = []
    for (const family of this.#families) {
      const at = tableOf(family)
      const sets = [...this.#sets[family].values()]
      operations.push(...createTable(family))
      operations.push(...sets.map(({ declaration }): Operation => ({ kind: 'add-set', ...at, set: declaration })))
      for (const set of sets) operations.push(...set.all())
      for (const [name, chain] of this.#chains) operations.push(...addChain(family, name, chain))
      for (const set of Object.values(this.#fixed[family])) operations.push(...set.all())
      for (const set of [...sets, ...Object.values(this.#fixed[family])]) set.settle()
    }
    for (const noted of [this.#touched, this.#newSets, this.#goneSets, this.#newChains, this.#goneChains]) noted.clear()
    return { operations, tightened: new Set(this.#claims.keys()) }
  }

  /** What the policies of this node's pods say to a connection between two addresses; egress and ingress where they are local. */
  judge(source: Address, destination: Address, protocol: Attempt['protocol'], port: number): SideVerdict[] {
    const attempt = { source: this.#party(source), destination: this.#party(destination), protocol, port }
    if (source === destination) return []
    const verdicts: SideVerdict[] = []
    for (const [address, direction] of [
      [source, 'egress'],
      [destination, 'ingress'],
    ] as const) {
      const local = this.#localAt(address)
      if (local === undefined) continue
      verdicts.push(judgeSide(this.#policiesOf(local.view.profile), direction, attempt))
    }
    return verdicts
  }

  #party(address: Address): Party {
    const view = this.#localAt(address)?.view ?? this.#membership.at(address)
    if (view === undefined) return { address }
    const { namespace, labels, ports } = view.profile
    const namespaceLabels = this.#membership.labelsOf(namespace)
    return { address, pod: { key: view.key, namespace, namespaceLabels, labels, ports } }
  }

  #localAt(address: Address): Local | undefined {
    const key = this.#claims.get(address)?.at(-1)
    return key === undefined ? undefined : this.#locals.get(key)
  }

  #policiesOf({ namespace, labels }: Profile): ReturnType<PolicyIndex['selecting']> {
    return this.#index.selecting(namespace, labels)
  }

  #takePolicies(snapshot: Snapshot, keys: Iterable<ObjectKey>, dirty: Set<ObjectKey>): void {
    for (const key of keys) {
      const policy = snapshot.policies.get(key)
      const old = this.#index.models.get(key)
      const model = policy && compilePolicy(policy)
      this.#findingCount += (model?.findings.length ?? 0) - (old?.findings.length ?? 0)
      this.#index.put(key, model)
      const namespace = (model ?? old)?.namespace
      if (namespace === undefined) continue
      this.#contents.delete(namespace)
      for (const pod of this.#localsOf.get(namespace) ?? []) dirty.add(pod)
    }
  }

  #takePod(key: ObjectKey, pod: Pod | undefined, dirty: Set<ObjectKey>): void {
    // A pod may be attached before the API server has told of it: only one that was known can be gone.
    if (pod === undefined && this.#membership.views.has(key)) this.#attached.delete(key)
    const changed = this.#membership.put(key, pod, this.#attached.get(key))
    if (changed && (this.#locals.has(key) || this.#isLocal(this.#membership.views.get(key)))) dirty.add(key)
  }

  #isLocal(view: PodView | undefined): view is PodView {
    return view !== undefined && (view.node === this.#node || this.#attached.has(view.key))
  }

  /** Gives a local pod its chains, and answers with those that it no longer needs. */
  #settle(key: ObjectKey, tightened: Set<Address>): readonly string[] {
    const old = this.#locals.get(key)
    const view = this.#membership.views.get(key)
    const next = this.#isLocal(view) ? this.#localOf(view) : undefined
    for (const name of Object.values(next?.chains ?? {})) this.#acquireChain(name)
    if (next === undefined) this.#locals.delete(key)
    else this.#locals.set(key, next)
    const namespace = (next ?? old)?.view.profile.namespace
    if (namespace !== undefined) this.#noteLocal(namespace, key, next !== undefined)
    const before = old?.view.addresses ?? []
    const after = next?.view.addresses ?? []
    for (const address of before) if (!after.includes(address)) this.#disclaim(address, key)
    for (const address of after) if (!before.includes(address)) this.#claim(address, key)
    for (const address of new Set([...before, ...after])) if (this.#write(address)) tightened.add(address)
    return Object.values(old?.chains ?? {})
  }

  #localOf(view: PodView): Local {
    const contents = this.#contentsOf(view.profile)
    const chains: Partial<Record<Direction, string>> = {}
    for (const direction of ['egress', 'ingress'] as const) {
      const content = contents[direction]
      if (content.kind === 'open') continue
      const name = chainName(direction, content)
      if (!this.#chains.has(name)) this.#addChain(name, direction, content)
      chains[direction] = name
    }
    return { view, chains }
  }

  #contentsOf(profile: Profile): Contents {
    const { namespace } = profile
    let own = this.#contents.get(namespace)
    if (own === undefined) {
      own = new WeakMap()
      this.#contents.set(namespace, own)
    }
    let found = own.get(profile)
    if (found === undefined) {
      const policies = this.#policiesOf(profile)
      found = {
        egress: compose(policies, 'egress', profile.ports),
        ingress: compose(policies, 'ingress', profile.ports),
      }
      own.set(profile, found)
    }
    return found
  }

  #noteLocal(namespace: string, key: ObjectKey, there: boolean): void {
    const own = this.#localsOf.get(namespace) ?? new Set()
    if (there) own.add(key)
    else own.delete(key)
    if (own.size > 0) this.#localsOf.set(namespace, own)
    else {
      this.#localsOf.delete(namespace)
      this.#contents.delete(namespace)
    }
  }

  #claim(address: Address, key: ObjectKey): void {
    this.#claims.set(address, [...(this.#claims.get(address) ?? []), key])
  }

  #disclaim(address: Address, key: ObjectKey): void {
    const rest = (this.#claims.get(address) ?? []).filter((one) => one !== key)
    if (rest.length === 0) this.#claims.delete(address)
    else this.#claims.set(address, rest)
  }

  /** Writes what is desired for a local address; tells whether a verdict changed. */
  #write(address: Address): boolean {
    const family = familyOf(address)
    if (!this.#families.includes(family)) return false
    const local = this.#localAt(address)
    const { egress, ingress, selves } = this.#fixed[family]
    const verdict = (direction: Direction): string | undefined => {
      if (local === undefined) return undefined
      const name = local.chains[direction]
      return name === undefined ? openVerdict[direction] : `goto ${name}`
    }
    const wanted = { egress: verdict('egress'), ingress: verdict('ingress') }
    const changed = egress.get(address) !== wanted.egress || ingress.get(address) !== wanted.ingress
    if (egress.get(address) !== wanted.egress) this.#put(egress, address, wanted.egress)
    if (ingress.get(address) !== wanted.ingress) this.#put(ingress, address, wanted.ingress)
    const pair = `${address} . ${address}`
    const there = local === undefined ? undefined : 1
    if (selves.get(pair) !== there) this.#put(selves, pair, there)
    return changed
  }

  #put(set: HeldSet, key: string, value: string | number | undefined): void {
    set.set(key, value)
    this.#touched.add(set)
  }

  #addChain(name: string, direction: Direction, content: Extract<Content, { kind: 'closed' }>): void {
    const lowered = {
      4: lowerContent(4, direction, content),
      6: lowerContent(6, direction, content),
    }
    this.#chains.set(name, { direction, content, lowered, uses: 0 })
    this.#newChains.add(name)
    for (const family of this.#families) for (const need of lowered[family].needs) this.#acquireSet(family, need)
  }

  #acquireChain(name: string): void {
    this.#chains.get(name)!.uses++
  }

  #releaseChain(name: string): void {
    const chain = this.#chains.get(name)!
    if (--chain.uses > 0) return
    this.#chains.delete(name)
    this.#goneChains.add(name)
    for (const family of this.#families) {
      for (const need of chain.lowered[family].needs) this.#releaseSet(family, need.name)
    }
  }

  #acquireSet(family: Family, need: LoweredChain['needs'][number]): void {
    const known = this.#sets[family].get(need.name)
    if (known !== undefined) {
      known.uses++
      return
    }
    const set = new HeldSet(family, need.declaration, need)
    set.uses = 1
    this.#sets[family].set(need.name, set)
    this.#newSets.add(set)
    if (need.kind === 'block') {
      for (const range of need.ranges) set.count(range, 1)
      return
    }
    const selection = this.#membership.acquire(need.peer)
    set.selection = selection
    const own = this.#setsOf.get(selection)
    if (own === undefined) this.#setsOf.set(selection, new Set([set]))
    else own.add(set)
    for (const view of membersOf(selection)) for (const key of elementsOf(need, family, view)) set.count(key, 1)
  }

  #releaseSet(family: Family, name: string): void {
    const set = this.#sets[family].get(name)!
    if (--set.uses > 0) return
    this.#sets[family].delete(name)
    this.#goneSets.add(set)
    this.#touched.delete(set)
    const { selection } = set
    if (selection === undefined) return
    this.#setsOf.get(selection)?.delete(set)
    if (this.#setsOf.get(selection)?.size === 0) this.#setsOf.delete(selection)
    this.#membership.release(selection)
  }

  #move(selection: Selection, view: PodView, change: 'joins' | 'leaves'): void {
    for (const set of this.#setsOf.get(selection) ?? []) {
      if (set.need === undefined) continue
      for (const key of elementsOf(set.need, set.family, view)) {
        set.count(key, change === 'joins' ? 1 : -1)
        this.#touched.add(set)
      }
    }
  }

  /** In an order in which everything referred to is there, and nothing goes that is still referred to. */
  #takeOperations(tightened: Set<Address>): Operation[] {
    const operations: Operation[] = []
    for (const set of this.#newSets) {
      operations.push({ kind: 'add-set', ...tableOf(set.family), set: set.declaration }, ...set.take().operations)
    }
    for (const name of this.#newChains) {
      for (const family of this.#families) operations.push(...addChain(family, name, this.#chains.get(name)!))
    }
    const lost = new Set<HeldSet>()
    for (const set of this.#touched) {
      const taken = set.take()
      operations.push(...taken.operations)
      if (taken.lost) lost.add(set)
    }
    for (const name of this.#goneChains) {
      for (const family of this.#families) {
        const at = tableOf(family)
        operations.push({ kind: 'flush-chain', ...at, chain: name }, { kind: 'delete-chain', ...at, chain: name })
      }
    }
    for (const set of this.#goneSets) {
      operations.push({ kind: 'delete-set', ...tableOf(set.family), set: set.declaration.name })
    }
    if (lost.size > 0) this.#noteTightened(lost, tightened)
    for (const noted of [this.#touched, this.#newSets, this.#goneSets, this.#newChains, this.#goneChains]) noted.clear()
    return operations
  }

  /** Pods whose chains use a set that lost an address. */
  #noteTightened(lost: ReadonlySet<HeldSet>, tightened: Set<Address>): void {
    const names = new Set<string>()
    for (const { declaration } of lost) names.add(declaration.name)
    const affected = new Set<string>()
    for (const [name, { lowered }] of this.#chains) {
      if (families.some((family) => lowered[family].needs.some((need) => names.has(need.name)))) affected.add(name)
    }
    for (const { view, chains } of this.#locals.values()) {
      if (!Object.values(chains).some((name) => affected.has(name))) continue
      for (const address of view.addresses) tightened.add(address)
    }
  }
}

function addChain(family: Family, name: string, { lowered }: HeldChain): Operation[] {
  const at = tableOf(family)
  return [
    { kind: 'add-chain', ...at, chain: { name } },
    ...lowered[family].rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
  ]
}
