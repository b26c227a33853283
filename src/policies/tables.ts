import { type Address, type Family, families, familyOf, type Prefix } from '../addr/index.ts'
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { ChainPlans } from './chain-plans.ts'
import { type ClusterCollection, clusterKinds, clusterModelOf } from './cluster-models.ts'
import { compilePolicy } from './compile.ts'
import { HeldChains } from './held-chains.ts'
import type { HeldSet } from './held-set.ts'
import { HeldSets } from './held-sets.ts'
import type { PodPolicies, SideVerdict } from './judge.ts'
import type { Operation } from './language.ts'
import { createTable, type Gate, openVerdict } from './layout.ts'
import { type LiveConnection, LiveJudge } from './live-judge.ts'
import { type LocalPod, LocalPods } from './local-pods.ts'
import { Membership } from './membership.ts'
import type { Direction } from './model.ts'
import { NodeAddresses } from './node-addresses.ts'
import { PolicyIndex } from './policy-index.ts'
import type { PodView, Profile } from './profile.ts'
import { Resolvers } from './resolvers.ts'

/** What a round does to the tables of policies. */
export interface PoliciesPlan {
  readonly operations: readonly Operation[]
  /** Addresses of this node's pods that may have lost permissions: their live connections are to be judged again. */
  readonly tightened: ReadonlySet<Address>
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
  readonly #sets: HeldSets
  readonly #chains: HeldChains
  readonly #locals = new LocalPods()
  readonly #plans: ChainPlans
  readonly #attached = new Map<ObjectKey, readonly Address[]>()
  readonly #nodes: NodeAddresses
  readonly #resolvers: Resolvers
  readonly #judge: LiveJudge
  #findingCount = 0

  constructor(node: string, only: readonly Family[] = families) {
    this.#node = node
    this.#families = only
    this.#nodes = new NodeAddresses(node)
    this.#resolvers = new Resolvers(this.#families)
    this.#membership = new Membership((selection, view, change) => this.#sets.move(selection, view, change))
    this.#sets = new HeldSets(only, this.#membership)
    this.#chains = new HeldChains(only, this.#sets)
    const policiesOf = ({ namespace, labels }: Profile): PodPolicies =>
      this.#index.selecting(namespace, this.#membership.labelsOf(namespace), labels)
    this.#plans = new ChainPlans(policiesOf)
    this.#judge = new LiveJudge(policiesOf, this.#locals, this.#membership, this.#sets, this.#nodes)
  }

  get findings(): readonly Finding[] {
    if (this.#findingCount === 0) return []
    const models = [...this.#index.models.values(), ...this.#index.clusterModels.values()]
    return models.flatMap(({ findings }) => findings)
  }

  get findingCount(): number {
    return this.#findingCount
  }

  /** How much is held: for tests and metrics. */
  get size(): { readonly chains: number; readonly sets: number; readonly pods: number } {
    return { chains: this.#chains.size, sets: this.#sets.size, pods: this.#locals.size }
  }

  /** A pod of this node has addresses that its status does not tell yet; the pod counts as changed from the caller's next `update`. */
  attach(key: ObjectKey, addresses: readonly Address[]): void {
    this.#attached.set(key, addresses)
  }

  /** Whether a local pod's policies are part of what is desired. */
  knows(address: Address): boolean {
    return this.#locals.knows(address)
  }

  /** The prefixes of this node: addresses there are denied until their pods are known. */
  setOwnPrefixes(prefixes: readonly Prefix[]): void {
    this.#sets.setOwnPrefixes(prefixes)
  }

  /** Takes in what changed; everything when `changes` is absent. */
  update(
    snapshot: Snapshot,
    changes?: Pick<Changes, 'pods' | 'namespaces' | 'policies' | 'nodes' | 'slices' | ClusterCollection>,
  ): PoliciesPlan {
    const dirty = new Set<ObjectKey>()
    this.#takePolicies(snapshot, changes?.policies ?? snapshot.policies.keys(), dirty)
    for (const collection of Object.keys(clusterKinds) as ClusterCollection[]) {
      this.#takeClusterPolicies(snapshot, collection, changes?.[collection] ?? snapshot[collection].keys(), dirty)
    }
    for (const name of changes?.namespaces ?? snapshot.namespaces.keys()) {
      this.#membership.setNamespace(name, snapshot.namespaces.get(name)?.metadata.labels)
      // Cluster-wide policies choose namespaces by their labels.
      if (this.#index.clusterModels.size > 0) this.#replan(name, dirty)
    }
    if (changes === undefined || changes.nodes.size > 0) this.#nodes.take(snapshot, this.#sets)
    if (changes === undefined || [...changes.slices].some((key) => key.startsWith('kube-system/'))) {
      this.#resolvers.take(snapshot, this.#sets)
    }
    for (const key of changes?.pods ?? snapshot.pods.keys()) this.#takePod(key, snapshot.pods.get(key), dirty)
    const tightened = new Set<Address>()
    // Whatever one pod lets go another may take up: nothing is released before all have what they need.
    const released = [...dirty].flatMap((key) => this.#settle(key, tightened))
    for (const name of released) this.#chains.release(name)
    return { operations: this.#takeOperations(tightened), tightened }
  }

  /** Everything, for tables that are not there. */
  full(): PoliciesPlan {
    const operations = this.#families.flatMap((family) => [
      ...createTable(family),
      ...this.#sets.all(family),
      ...this.#chains.all(family),
      ...this.#sets.allFixed(family),
    ])
    this.#sets.settle()
    this.#chains.settle()
    return { operations, tightened: new Set(this.#locals.addresses) }
  }

  /** The cluster's DNS told an address for a name, until a moment in milliseconds since 1970; tells whether the next `update` has to say so. */
  learn(asked: string, address: Address, untilMs: number): boolean {
    return this.#families.includes(familyOf(address)) && this.#sets.learn(asked, address, untilMs)
  }

  /** The sets of addresses that names lead to, as desired. */
  get nameSets(): readonly HeldSet[] {
    return this.#sets.names
  }

  /**
   * What the policies of this node's pods say to a live connection between two addresses; egress and ingress where they are local. An
   * address that a name led to counts after its time too: that ends no connection.
   */
  judge(...connection: LiveConnection): SideVerdict[] {
    return this.#judge.judge(...connection)
  }

  /** What the policies of this node's pod at one end say; undefined when no local pod is there. */
  blame(direction: Direction, ...connection: LiveConnection): SideVerdict | undefined {
    return this.#judge.blame(direction, ...connection)
  }

  #takePolicies(snapshot: Snapshot, keys: Iterable<ObjectKey>, dirty: Set<ObjectKey>): void {
    for (const key of keys) {
      const policy = snapshot.policies.get(key)
      const old = this.#index.models.get(key)
      const model = policy && compilePolicy(policy)
      this.#findingCount += (model?.findings.length ?? 0) - (old?.findings.length ?? 0)
      this.#index.put(key, model)
      const namespace = (model ?? old)?.namespace
      if (namespace !== undefined) this.#replan(namespace, dirty)
    }
  }

  #takeClusterPolicies(
    snapshot: Snapshot,
    collection: ClusterCollection,
    keys: Iterable<ObjectKey>,
    dirty: Set<ObjectKey>,
  ): void {
    for (const key of keys) {
      const policy = snapshot[collection].get(key)
      const object = `${clusterKinds[collection]}/${key}`
      const model = policy && clusterModelOf(collection, policy)
      const old = this.#index.clusterModels.get(object)
      this.#findingCount += (model?.findings.length ?? 0) - (old?.findings.length ?? 0)
      this.#index.putCluster(object, model)
      for (const namespace of this.#locals.namespaces) this.#replan(namespace, dirty)
    }
  }

  /** Pods of a namespace may have other policies now. */
  #replan(namespace: string, dirty: Set<ObjectKey>): void {
    this.#plans.forget(namespace)
    for (const pod of this.#locals.inNamespace(namespace)) dirty.add(pod)
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
    for (const address of this.#locals.put(key, next)) if (this.#write(address)) tightened.add(address)
    const namespace = (next ?? old)?.view.profile.namespace
    if (namespace !== undefined && this.#locals.inNamespace(namespace).size === 0) this.#plans.forget(namespace)
    return Object.values(old?.chains ?? {})
  }

  #localOf(view: PodView): LocalPod {
    const plans = this.#plans.of(view.profile)
    const chains: Partial<Record<Gate, string>> = {}
    for (const gate of ['egress', 'ingress', 'input'] as const) {
      const plan = plans[gate]
      if (plan !== undefined) chains[gate] = this.#chains.acquire(plan)
    }
    return { view, chains }
  }

  /** Writes what is desired for a local address; tells whether a verdict changed. */
  #write(address: Address): boolean {
    const family = familyOf(address)
    if (!this.#families.includes(family)) return false
    const local = this.#locals.at(address)
    const { egress, ingress, input, selves, askers } = this.#sets.fixed[family]
    const verdict = (direction: Direction): string | undefined => {
      if (local === undefined) return undefined
      const name = local.chains[direction]
      return name === undefined ? openVerdict[direction] : `goto ${name}`
    }
    const wanted = { egress: verdict('egress'), ingress: verdict('ingress') }
    const toNode = local?.chains.input === undefined ? undefined : `goto ${local.chains.input}`
    const changed =
      egress.get(address) !== wanted.egress || ingress.get(address) !== wanted.ingress || input.get(address) !== toNode
    if (egress.get(address) !== wanted.egress) this.#sets.put(egress, address, wanted.egress)
    if (ingress.get(address) !== wanted.ingress) this.#sets.put(ingress, address, wanted.ingress)
    if (input.get(address) !== toNode) this.#sets.put(input, address, toNode)
    const pair = `${address} . ${address}`
    const there = local === undefined ? undefined : 1
    const asks = this.#chains.asksNames(local?.chains.egress ?? '') ? 1 : undefined
    if (askers.get(address) !== asks) this.#sets.put(askers, address, asks)
    if (selves.get(pair) !== there) this.#sets.put(selves, pair, there)
    return changed
  }

  /** In an order in which everything referred to is there, and nothing goes that is still referred to. */
  #takeOperations(tightened: Set<Address>): Operation[] {
    const added = [...this.#sets.added(), ...this.#chains.added()]
    const { operations, lost, gained } = this.#sets.changed()
    const all = [...added, ...operations, ...this.#chains.removed(), ...this.#sets.removed()]
    if (lost.size + gained.size > 0) {
      for (const address of this.#locals.judgedBy(this.#chains.tightened({ lost, gained }))) tightened.add(address)
    }
    this.#sets.settle()
    this.#chains.settle()
    return all
  }
}
