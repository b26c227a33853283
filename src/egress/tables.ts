import { isDeepStrictEqual } from 'node:util'
import { type Address, contains, type Family, families, familyOf, type Prefix } from '../addr/index.ts'
import { type Changes, type Finding, type ObjectKey, type Snapshot, splitKey } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import { claimsOf, ownersByCondition } from './claims.ts'
import { decideExit } from './decide.ts'
import { Dispatch } from './dispatch.ts'
import { EgressIndex } from './egress-index.ts'
import { exitChains } from './exit-chains.ts'
import type { Grant } from './grant.ts'
import { HeldTable } from './held-table.ts'
import { type LocalPod, localPod } from './local-pods.ts'
import { clusterElements, fixedChains, fixedSets, type Operation, prefixElements, words } from './lower.ts'
import type { EgressModel, EgressNode, EgressWorld, Exit } from './model.ts'
import { readEgressNodes } from './node-index.ts'
import type { PortUse } from './port-journal.ts'
import { portsOfPod } from './ports.ts'
import { Slots } from './slots.ts'

/** What a round does to the tables of egress. */
export interface EgressPlan {
  readonly operations: readonly Operation[]
  /** Pod addresses whose live connections are to be looked through, because what they may leave under has changed. */
  readonly regranted: ReadonlyMap<Address, Grant>
}

/** What the tables hold for one pod. */
interface Held {
  readonly pod: LocalPod
  readonly model: EgressModel | undefined
  /** Chains by name, per family. */
  readonly chains: readonly (readonly [Family, string])[]
  /** Addresses under which it leaves, with the ports that it may have. */
  readonly uses: readonly PortUse[]
  readonly findings: readonly Finding[]
}

/** What of the cluster egress depends on, beside objects. */
export interface EgressSurroundings {
  /** Destinations that always see the pod itself: pods, nodes, Services. */
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
  readonly #slots = new Slots()
  readonly #held = new Map<ObjectKey, Held>()
  readonly #byAddress = new Map<Address, ObjectKey>()
  readonly #attached = new Map<ObjectKey, readonly Address[]>()
  readonly #uses = new Map<string, number>()
  readonly #dispatch: Dispatch
  #nodes: ReadonlyMap<string, EgressNode> = new Map()
  #nodeFindings: readonly Finding[] = []
  #nodesText = ''
  #clusterText = ''
  #ownText = ''
  #cluster: readonly Prefix[] = []
  readonly #inCluster = new Map<Address, boolean>()
  /** Those that were told of; absent where nobody announces. */
  #told: ReadonlyMap<Address, string> | undefined
  #owners: ReadonlyMap<Address, string> = new Map()
  #ownersChanged = false

  constructor(node: string, only: readonly Family[] = families) {
    this.#node = node
    this.#families = only
    this.#tables = new Map(
      only.map((family) => [family, new HeldTable(words[family].tableFamily, fixedSets(family), fixedChains(family))]),
    )
    this.#dispatch = new Dispatch(node, this.#tables)
  }

  get findings(): readonly Finding[] {
    return [
      ...this.#index.findings,
      ...this.#nodeFindings,
      ...[...this.#held.values()].flatMap(({ findings }) => findings),
    ]
  }

  get models(): readonly EgressModel[] {
    return this.#index.models
  }

  /** Which pods of this node may leave under which addresses and ports. */
  get portUses(): readonly PortUse[] {
    return [...this.#held.values()].flatMap(({ uses }) => uses)
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

  /** Who holds which address from the next update on; until the first call, nodes' conditions say. */
  setOwners(owners: ReadonlyMap<Address, string>): void {
    this.#told = owners
    this.#ownersChanged = true
  }

  /** A pod of this node has addresses that its status does not tell yet; the pod counts as changed from the caller's next `update`. */
  attach(key: ObjectKey, addresses: readonly Address[]): void {
    this.#attached.set(key, addresses)
  }

  /** Whether the ways out of a local pod are part of what is desired. */
  knows(address: Address): boolean {
    return this.#byAddress.has(address)
  }

  /** Takes in what changed; everything when `changes` is absent. */
  update(snapshot: Snapshot, around: EgressSurroundings, changes?: Changes): EgressPlan {
    this.#takeOwn(around.own)
    const nodesChanged = changes === undefined || changes.nodes.size > 0
    const moved = nodesChanged && this.#takeNodes(snapshot, around)
    const changed = this.#takeEgresses(snapshot, around.cluster, changes)
    const handed = this.#takeOwners(snapshot, nodesChanged || changed)
    const all = moved || changed || handed || changes === undefined
    const dirty = new Set<ObjectKey>()
    for (const key of changes?.pods ?? []) if (this.#isLocal(snapshot, key)) dirty.add(key)
    if (all || changes.namespaces.size > 0) {
      for (const key of this.#localKeys(snapshot)) {
        if (all || changes.namespaces.has(splitKey(key).namespace)) dirty.add(key)
      }
    }
    const regranted = new Map<Address, Grant>()
    const world = { node: this.#node, nodes: this.#nodes, owners: this.#owners }
    for (const key of dirty) this.#settlePod(snapshot, world, key, regranted, changes === undefined)
    return { operations: [...this.#tables.values()].flatMap((table) => table.take()), regranted }
  }

  /** Everything, for tables that are not there. */
  full(): readonly Operation[] {
    return [...this.#tables.values()].flatMap((table) => table.full())
  }

  #isLocal(snapshot: Snapshot, key: ObjectKey): boolean {
    return this.#held.has(key) || this.#attached.has(key) || snapshot.pods.get(key)?.spec.nodeName === this.#node
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

  /** Where nobody announces, any report of a Node may change the owners. */
  #takeOwners(snapshot: Snapshot, mayHaveMoved: boolean): boolean {
    if (this.#told !== undefined) {
      const changed = this.#ownersChanged
      this.#ownersChanged = false
      this.#owners = this.#told
      return changed
    }
    if (!mayHaveMoved) return false
    const before = this.#owners
    const claims = claimsOf(this.#index.models, snapshot.nodes.values())
    this.#owners = ownersByCondition(claims, snapshot.nodes)
    return !isDeepStrictEqual(before, this.#owners)
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
    const next = known ? this.#hold(world, pod, this.#index.selecting({ ...pod, namespaceLabels })) : undefined
    this.#write(key, old, next)
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

  #hold(world: EgressWorld, pod: LocalPod, models: readonly EgressModel[]): Held {
    const [model, ...others] = models
    const findings = others.map((other) => overlap(other, pod, model))
    if (model === undefined) return { pod, model, chains: [], uses: [], findings }
    const chains: [Family, string][] = []
    const uses: PortUse[] = []
    for (const family of this.#families) {
      const table = this.#tables.get(family)
      const own = pod.addresses.filter((address) => familyOf(address) === family)
      if (table === undefined || own.length === 0) continue
      const { exit, slot } = this.#takeSlot(decideExit(model, family, pod.key, world), model, pod, findings)
      if (exit.kind === 'through') uses.push({ pod: pod.key, address: exit.address, ...exit.ports })
      const made = exitChains(family, model, exit, slot, world)
      for (const { name, rules } of made) {
        table.setChain(name, rules)
        chains.push([family, name])
      }
    }
    return { pod, model, chains, uses, findings }
  }

  #takeSlot(exit: Exit, model: EgressModel, pod: LocalPod, findings: Finding[]): { exit: Exit; slot: number } {
    if (exit.kind !== 'through') return { exit, slot: 0 }
    const slot = this.#slots.take(exit.address, pod.key, model.ports)
    if (slot !== undefined) return { exit: { ...exit, ports: portsOfPod(model.ports, exit.ports, slot) }, slot }
    const { perNode, perPod = perNode } = model.ports
    const says = `the ${perNode} source ports that ${this.#node} has of ${exit.address} are all with other pods, ${perPod} each`
    const field = 'spec.ports.perPod'
    findings.push({
      code: 'EgressPortsExhausted',
      object: model.object,
      field,
      says: `pod/${pod.key} cannot leave: ${says}`,
      try: 'give more egressIPs, a larger ports.perNode or a smaller ports.perPod',
    })
    const because = { object: model.object, field, value: String(perPod) }
    return { exit: { kind: 'blocked', address: exit.address, says, because }, slot: 0 }
  }

  /** Puts a pod in the place of what is held of it: elements, uses of chains, slots. */
  #write(key: ObjectKey, old: Held | undefined, next: Held | undefined): void {
    for (const [family, name] of next?.chains ?? []) this.#use(family, name, 1)
    for (const address of new Set([...(old?.pod.addresses ?? []), ...(next?.pod.addresses ?? [])])) {
      const family = familyOf(address)
      const now = next?.pod.addresses.includes(address) ? next : undefined
      if (now === undefined && this.#byAddress.get(address) !== key) continue
      const table = this.#tables.get(family)
      for (const map of ['steer', 'translate', 'guard']) {
        const chain = now?.chains.find(([of, name]) => of === family && name.startsWith(map))
        table?.put(map, address, chain === undefined ? false : `goto ${chain[1]}`)
      }
      table?.put('known', address, now === undefined ? false : undefined)
      if (now === undefined) this.#byAddress.delete(address)
      else this.#byAddress.set(address, key)
    }
    for (const [family, name] of old?.chains ?? []) this.#use(family, name, -1)
    for (const { address } of old?.uses ?? [])
      if (!next?.uses.some((one) => one.address === address)) this.#slots.release(address, key)
    if (next === undefined) this.#held.delete(key)
    else this.#held.set(key, next)
  }

  #use(family: Family, name: string, by: 1 | -1): void {
    const id = `${family} ${name}`
    const uses = (this.#uses.get(id) ?? 0) + by
    if (uses > 0) this.#uses.set(id, uses)
    else {
      this.#uses.delete(id)
      this.#tables.get(family)?.removeChain(name)
    }
  }
}

function grantOf(held: Held | undefined, address: Address): Pick<Grant, 'allowed' | 'scope'> {
  if (held?.model === undefined || !held.pod.addresses.includes(address)) return { allowed: [], scope: undefined }
  const { addresses, scope, onUnavailable } = held.model
  return { allowed: addresses.map((one) => one.address), scope: onUnavailable === 'Node' ? undefined : scope }
}

function overlap(loser: EgressModel, pod: LocalPod, winner: EgressModel | undefined): Finding {
  return {
    code: 'EgressOverlap',
    object: loser.object,
    field: 'spec.appliedTo',
    says: `pod/${pod.key} is selected by ${winner?.object ?? ''} too, which is older and holds`,
    try: 'narrow one of the selectors, or delete one of the two',
  }
}
