import { isDeepStrictEqual } from 'node:util'
import { type Address, contains, type Family, families, type Prefix } from '../addr/index.ts'
import { type Changes, type Finding, type ObjectKey, type Snapshot, splitKey } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import { claimsOf, guessOwners } from './claims.ts'
import { Dispatch } from './dispatch.ts'
import { EgressIndex } from './egress-index.ts'
import { ownersTold } from './explain.ts'
import type { Grant } from './grant.ts'
import { HeldPods } from './held-pods.ts'
import { grantOf, holdPod } from './holding.ts'
import type { Operation } from './language.ts'
import { HeldTable } from './language.ts'
import { clusterElements, fixedChains, fixedSets, prefixElements } from './layout.ts'
import { localPod } from './local-pods.ts'
import type { EgressNode, EgressWorld } from './model.ts'
import { readEgressNodes } from './node-index.ts'
import type { PortUse } from './port-journal.ts'
import { egressTableName, words } from './words.ts'

/** What a round does to the tables of egress. */
export interface EgressPlan {
  readonly operations: readonly Operation[]
  /** Pod addresses whose live connections are to be looked through, because what they may leave under has changed. */
  readonly regranted: ReadonlyMap<Address, Grant>
}

/** What of the cluster egress depends on, beside objects. */
export interface EgressSurroundings {
  /** Destinations that always see the pod itself: pods, nodes, Services, the API server. */
  readonly cluster: readonly Prefix[]
  /** The prefixes of this node's pods: what is not known to be a pod that no Egress selects does not leave. */
  readonly own: readonly Prefix[]
  readonly addressesOf: (node: Node) => EgressNode['addresses']
}

/**
 * How this node's pods leave, and where answers go that arrive for any node's pods, as desired in the kernel. A change of a pod costs that pod
 * alone, and nothing on other nodes.
 */
export class EgressTables {
  readonly #node: string
  readonly #families: readonly Family[]
  readonly #tables: ReadonlyMap<Family, HeldTable>
  readonly #index = new EgressIndex()
  readonly #held: HeldPods
  readonly #attached = new Map<ObjectKey, readonly Address[]>()
  readonly #dispatch: Dispatch
  #nodes: ReadonlyMap<string, EgressNode> = new Map()
  #nodeFindings: readonly Finding[] = []
  #isNeeded = false
  #nodesText = ''
  #clusterText = ''
  #ownText = ''
  #cluster: readonly Prefix[] = []
  readonly #inCluster = new Map<Address, boolean>()
  /** Those that were told of; absent where nobody announces. */
  #told: ReadonlyMap<Address, string> | undefined
  #owners: ReadonlyMap<Address, string> = new Map()

  constructor(node: string, only: readonly Family[] = families) {
    this.#node = node
    this.#families = only
    this.#tables = new Map(
      only.map((family) => [
        family,
        new HeldTable(words[family].tableFamily, egressTableName, fixedSets(family), fixedChains(family)),
      ]),
    )
    this.#held = new HeldPods(this.#tables)
    this.#dispatch = new Dispatch(node, this.#tables)
  }

  get findings(): readonly Finding[] {
    return [...this.#index.findings, ...this.#nodeFindings, ...this.#held.findings]
  }

  /** The tables that are wanted now, as `ip plumb-egress`. */
  get names(): readonly string[] {
    return this.#isNeeded ? [...this.#tables.values()].map(({ name }) => name) : []
  }

  /** All egress addresses, whoever holds them. */
  get addresses(): readonly Address[] {
    return [...this.#index.byAddress.keys()]
  }

  /** Who holds which address, as the last update took it. */
  get owners(): ReadonlyMap<Address, string> {
    return this.#owners
  }

  /** Which pods of this node may leave under which addresses and ports. */
  get portUses(): readonly PortUse[] {
    return this.#held.portUses
  }

  /** Destinations that always see the pod itself. */
  get cluster(): readonly Prefix[] {
    return this.#cluster
  }

  /** How much is held for this node's pods. */
  get size(): { readonly pods: number; readonly chains: number; readonly elements: number } {
    const sizes = [...this.#tables.values()].map(({ size }) => size)
    const sum = (of: (size: (typeof sizes)[number]) => number) => sizes.reduce((total, size) => total + of(size), 0)
    return { pods: this.#held.size, chains: sum(({ chains }) => chains), elements: sum(({ elements }) => elements) }
  }

  /** Who holds which address from the next update on; until the first call, Egresses' statuses and nodes' conditions say. */
  setOwners(owners: ReadonlyMap<Address, string>): void {
    this.#told = owners
  }

  /** A pod of this node has addresses that its status does not tell yet; the pod counts as changed from the caller's next `update`. */
  attach(key: ObjectKey, addresses: readonly Address[]): void {
    this.#attached.set(key, addresses)
  }

  /** Whether the ways out of a local pod are part of what is desired. */
  knows(address: Address): boolean {
    return this.#held.knows(address)
  }

  /** Takes in what changed; everything when `changes` is absent. */
  update(snapshot: Snapshot, around: EgressSurroundings, changes?: Changes): EgressPlan {
    this.#takeOwn(around.own)
    const nodesChanged = changes === undefined || changes.nodes.size > 0
    const moved = nodesChanged && this.#takeNodes(snapshot, around)
    const changed = this.#takeEgresses(snapshot, around.cluster, changes)
    const handed = this.#takeOwners(snapshot, nodesChanged || changed)
    const all = moved || changes === undefined
    const dirty = new Set<ObjectKey>()
    for (const key of changes?.pods ?? []) if (this.#isLocal(snapshot, key)) dirty.add(key)
    if (handed.size > 0) for (const key of this.#held.leavingUnder(handed)) dirty.add(key)
    if (changed) for (const key of this.#reselected(snapshot)) dirty.add(key)
    if (all || changes.namespaces.size > 0) {
      for (const key of this.#localKeys(snapshot)) {
        if (all || changes.namespaces.has(splitKey(key).namespace)) dirty.add(key)
      }
    }
    const regranted = new Map<Address, Grant>()
    const world = { node: this.#node, nodes: this.#nodes, owners: this.#owners }
    for (const key of dirty) this.#settlePod(snapshot, world, key, regranted, changes === undefined)
    return { operations: this.#takeOperations(), regranted }
  }

  /** Everything, for tables that are not there. */
  full(): readonly Operation[] {
    return this.#isNeeded ? [...this.#tables.values()].flatMap((table) => table.full()) : []
  }

  /** Without an Egress there are no tables, and packets pay nothing. */
  #takeOperations(): readonly Operation[] {
    const was = this.#isNeeded
    this.#isNeeded = this.#index.models.length > 0
    const changes = [...this.#tables.values()].flatMap((table) => table.take())
    if (this.#isNeeded) return was ? changes : this.full()
    return was ? [...this.#tables.values()].map((table) => table.remove()) : []
  }

  #isLocal(snapshot: Snapshot, key: ObjectKey): boolean {
    return (
      this.#held.get(key) !== undefined ||
      this.#attached.has(key) ||
      snapshot.pods.get(key)?.spec.nodeName === this.#node
    )
  }

  #localKeys(snapshot: Snapshot): Iterable<ObjectKey> {
    const keys = new Set([...this.#held.keys(), ...this.#attached.keys()])
    for (const { metadata } of snapshot.podsOn(this.#node)) keys.add(`${metadata.namespace ?? ''}/${metadata.name}`)
    return keys
  }

  #takeNodes(snapshot: Snapshot, { addressesOf }: EgressSurroundings): boolean {
    const { nodes, findings } = readEgressNodes(snapshot.nodes.values(), addressesOf)
    this.#nodeFindings = findings
    const text = JSON.stringify([...nodes.values()])
    if (text === this.#nodesText) return false
    this.#nodesText = text
    this.#nodes = nodes
    this.#dispatch.setNodes(nodes.values())
    return true
  }

  #takeEgresses(snapshot: Snapshot, cluster: readonly Prefix[], changes: Changes | undefined): boolean {
    const text = cluster.join()
    const moved = text !== this.#clusterText
    if (changes !== undefined && changes.egresses.size === 0 && !moved) return false
    for (const key of changes?.egresses ?? snapshot.egresses.keys()) this.#index.put(key, snapshot.egresses.get(key))
    this.#cluster = cluster
    this.#clusterText = text
    if (moved) this.#inCluster.clear()
    this.#index.settle((address) => (this.#isInCluster(address) ? 'is in use within the cluster' : undefined))
    this.#dispatch.setAddresses(this.#index.byAddress)
    if (moved) for (const [family, table] of this.#tables) table.fill('cluster', clusterElements(family, cluster))
    return true
  }

  #takeOwn(prefixes: readonly Prefix[]): void {
    if (prefixes.join() === this.#ownText) return
    this.#ownText = prefixes.join()
    for (const [family, table] of this.#tables) table.fill('own', prefixElements(family, prefixes))
  }

  #isInCluster(address: Address): boolean {
    const known = this.#inCluster.get(address)
    if (known !== undefined) return known
    const found = this.#cluster.some((prefix) => contains(prefix, address))
    this.#inCluster.set(address, found)
    return found
  }

  /** The addresses whose owner changed. Where nobody announces, any report of a Node may change them. */
  #takeOwners(snapshot: Snapshot, mayHaveMoved: boolean): ReadonlySet<Address> {
    const before = this.#owners
    if (this.#told !== undefined) this.#owners = this.#told
    else if (mayHaveMoved) {
      const claims = claimsOf(this.#index.models, snapshot.nodes.values())
      this.#owners = guessOwners(claims, ownersTold(snapshot), snapshot.nodes)
    }
    const now = this.#owners
    if (now === before) return new Set()
    return new Set([...before.keys(), ...now.keys()].filter((address) => before.get(address) !== now.get(address)))
  }

  /** Pods of which other Egresses than before decide, or the same with another meaning. */
  #reselected(snapshot: Snapshot): ObjectKey[] {
    return [...this.#localKeys(snapshot)].filter((key) => {
      const held = this.#held.get(key)
      const namespaceLabels = held && this.#namespaceLabels(snapshot, held.pod.namespace)
      if (held === undefined || namespaceLabels === undefined) return true
      const models = this.#index.selecting({ ...held.pod, namespaceLabels })
      return models.length !== held.models.length || models.some((model, i) => model !== held.models[i])
    })
  }

  #settlePod(
    snapshot: Snapshot,
    world: EgressWorld,
    key: ObjectKey,
    regranted: Map<Address, Grant>,
    unsure: boolean,
  ): void {
    const old = this.#held.get(key)
    const object = snapshot.pods.get(key)
    // A pod may be attached before the API server has told of it: only one that was known can be gone.
    if (object === undefined && old !== undefined) this.#attached.delete(key)
    const local = object !== undefined && (object.spec.nodeName === this.#node || this.#attached.has(key))
    const pod = local ? localPod(key, object, this.#attached.get(key) ?? []) : undefined
    const namespaceLabels = pod && this.#namespaceLabels(snapshot, pod.namespace)
    const known = pod !== undefined && namespaceLabels !== undefined
    const models = known ? this.#index.selecting({ ...pod, namespaceLabels }) : []
    const next = known ? holdPod(world, this.#families, pod, models, this.#held.slots) : undefined
    this.#held.put(key, next)
    for (const address of new Set([...(old?.pod.addresses ?? []), ...(next?.pod.addresses ?? [])])) {
      const before = grantOf(old, address)
      const now = grantOf(next, address)
      const revoked = before.allowed.filter((one) => !now.allowed.includes(one))
      const same = !unsure && isDeepStrictEqual(before, now)
      if (!same && (now.scope !== undefined || revoked.length > 0)) regranted.set(address, { ...now, revoked })
    }
  }

  /** Undefined while the namespace is not known, which may decide. */
  #namespaceLabels(snapshot: Snapshot, namespace: string): Readonly<Record<string, string>> | undefined {
    const object = snapshot.namespaces.get(namespace)
    if (object !== undefined) return { ...object.metadata.labels, 'kubernetes.io/metadata.name': namespace }
    return this.#index.models.some(({ selects }) => selects.namespaces !== undefined) ? undefined : {}
  }
}
