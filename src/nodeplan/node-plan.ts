import { isDeepStrictEqual } from 'node:util'
import { type Address, type Family, hostPrefix, type Prefix } from '../addr/index.ts'
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import { apiServerAddresses, type EgressPlan, EgressTables, type Grant, isRevoked } from '../egress/index.ts'
import { HostPortTables } from '../hostports/index.ts'
import type { Operation } from '../nft/index.ts'
import { compilePodNetwork, nodeAddresses, type PodNetwork } from '../pods/index.ts'
import { PolicyTables, policyTableName } from '../policies/index.ts'
import {
  type Drain,
  type HealthCheck,
  type NodeView,
  type ServicesScope,
  type ServiceTables,
  type StaleFlows,
  tableName,
  tableOf,
} from '../services/index.ts'
import { clearTables } from './clean-up.ts'
import { allKeys, NodeServices } from './node-services.ts'
import { viewNode } from './node-view.ts'
import type { NodePlanOptions } from './options.ts'
import { PodTables } from './pod-tables.ts'
import type { Round } from './round.ts'

/**
 * All that the concepts want in one node's kernel, and whether the kernel has it. Rounds go one after another:
 * `plan`, commit, then `confirm` or `doubt`. After a doubt the next plan is whole; the kernel is never asked.
 */
export class NodePlan {
  readonly #options: NodePlanOptions
  readonly #services: NodeServices
  readonly #podTables = new PodTables()
  readonly #hostPorts: HostPortTables | undefined
  readonly #policies: PolicyTables | undefined
  readonly #egress: EgressTables | undefined
  #pods: PodNetwork
  #view: NodeView
  #servicePrefixes: readonly Prefix[]
  #localAddresses: readonly Address[] = []
  /** Whether something beyond the Snapshot changed that Services depend on. */
  #surroundingsChanged = false
  #compiled = false
  #confirmed = false
  /** Frontends that went in a round whose commit failed: a full round looks only through those that are there. */
  #owedStale: StaleFlows[] = []
  /** The same of grants: the last one of an address counts. */
  readonly #owedGrants = new Map<Address, Grant>()

  constructor(options: NodePlanOptions) {
    this.#options = options
    this.#services = new NodeServices(options.families, options.loopbackNodePorts)
    this.#hostPorts = options.hostPorts === true ? new HostPortTables(options.node, options.families) : undefined
    this.#policies = options.policies === true ? new PolicyTables(options.node, options.families) : undefined
    this.#egress = options.egress === true ? new EgressTables(options.node, options.families) : undefined
    this.#pods = compilePodNetwork(options.node, [])
    this.#view = { name: options.node, zone: undefined, addresses: [], nodePortAddresses: [] }
    this.#servicePrefixes = options.servicePrefixes
  }

  get pods(): PodNetwork {
    return this.#pods
  }

  /** What this node knows of itself when it chooses endpoints. */
  get view(): NodeView {
    return this.#view
  }

  get scope(): ServicesScope {
    const podPrefixes = this.#options.podPrefixes ?? this.#pods.podPrefixes
    // Where another program gives pods their addresses, nobody tells which of them are this node's.
    const ownPodPrefixes = this.#pods.prefixes.length > 0 ? this.#pods.prefixes : podPrefixes
    return { podPrefixes, ownPodPrefixes, servicePrefixes: this.#servicePrefixes }
  }

  /** `healthCheckNodePort` of the Services that have one, with what it has to answer; another map after each change. */
  get healthChecks(): ReadonlyMap<ObjectKey, HealthCheck> {
    return this.#services.healthChecks
  }

  /** How many Services have a policy Local and no endpoint on this node, though elsewhere. */
  get withoutLocalEndpoints(): { readonly internal: number; readonly external: number } {
    return this.#services.withoutLocalEndpoints
  }

  /** Which endpoints of which Services go, where connections to them are to be cut. */
  get drains(): ReadonlyMap<ObjectKey, Drain> {
    return this.#services.drains
  }

  /** From the next round on, only Services have addresses in these; none given: those of the options again. */
  setServicePrefixes(prefixes: readonly Prefix[]): void {
    this.#servicePrefixes = prefixes.length > 0 ? prefixes : this.#options.servicePrefixes
    this.#surroundingsChanged = true
  }

  /** The addresses that the node's links have; they matter from the next round on where `nodePortAddresses` is given. */
  setLocalAddresses(addresses: readonly Address[]): void {
    this.#localAddresses = addresses
    this.#surroundingsChanged = true
  }

  /** The tables that a round makes, as `ip plumb-services`. */
  get tables(): readonly string[] {
    const { families = [4, 6] } = this.#options
    const names = this.#policies === undefined ? [tableName] : [tableName, policyTableName]
    const own = families.flatMap((family) => names.map((name) => `${tableOf(family).family} ${name}`))
    return [...own, ...this.#podTables.names, ...(this.#hostPorts?.names ?? []), ...(this.#egress?.names ?? [])]
  }

  /** Whether clients may have kept this seat of the set `affinity` from before. */
  hasSeat(family: Family, seat: string): boolean {
    return this.#services.hasSeat(family, seat)
  }

  get findings(): readonly Finding[] {
    const concepts = [this.#hostPorts, this.#policies, this.#egress].flatMap((one) => one?.findings ?? [])
    return [...this.#services.findings, ...this.#pods.findings, ...this.#services.conflicts, ...concepts]
  }

  /** How many findings there are, without gathering them. */
  get findingCount(): number {
    const few = [this.#hostPorts, this.#egress].reduce((sum, one) => sum + (one?.findings.length ?? 0), 0)
    const concepts = (this.#policies?.findingCount ?? 0) + few
    return this.#services.findingCount + this.#pods.findings.length + this.#services.conflicts.length + concepts
  }

  /** Whether ports of the node answer at 127.0.0.1 from elsewhere. */
  get servesLoopback(): boolean {
    return this.#options.loopbackNodePorts === true || this.#hostPorts?.onLoopback === true
  }

  /** What is desired in the maps for `ADDRESS . PROTOCOL . PORT`. */
  findFrontend(id: string): ReturnType<ServiceTables['find']> {
    return this.#services.find(id)
  }

  /** A pod of this node has these addresses, before its status says so: its policies are part of the next round that is told of it. */
  attach(pod: ObjectKey, addresses: readonly Address[]): void {
    this.#policies?.attach(pod, addresses)
    this.#egress?.attach(pod, addresses)
  }

  /** Whether the kernel holds the policies of the pods at these addresses, and the ways by which they leave. */
  guards(addresses: readonly Address[]): boolean {
    const holders = [this.#policies, this.#egress].filter((one) => one !== undefined)
    return holders.length === 0 || (this.#confirmed && addresses.every((one) => holders.every((of) => of.knows(one))))
  }

  /** Who holds which egress address, as the last round took it. */
  get owners(): ReadonlyMap<Address, string> {
    return this.#egress?.owners ?? new Map()
  }

  /** Who holds which external address, from the next round on. */
  setOwners(owners: ReadonlyMap<Address, string>): void {
    this.#egress?.setOwners(owners)
  }

  /** Which pods of this node may leave under which egress addresses and ports. */
  get portUses(): EgressTables['portUses'] {
    return this.#egress?.portUses ?? []
  }

  /** Whether a connection that a pod began leaves under an address which this grant does not give. */
  isRevoked(grant: Grant, pod: Address, live: { readonly source: Address; readonly destination: Address }): boolean {
    return this.#egress !== undefined && isRevoked(grant, pod, this.#egress.cluster, live)
  }

  /** What the policies of this node's pods say to a connection, e.g. one that is alive; nothing when they are not enforced. */
  judge(...connection: Parameters<PolicyTables['judge']>): ReturnType<PolicyTables['judge']> {
    return this.#policies?.judge(...connection) ?? []
  }

  /** What the policies of this node's pod at one end of a connection say; undefined when there is none, or they are not enforced. */
  blame(...connection: Parameters<PolicyTables['blame']>): ReturnType<PolicyTables['blame']> {
    return this.#policies?.blame(...connection)
  }

  /** The cluster's DNS told an address for a name; as `PolicyTables.learn`. */
  learn(...answer: Parameters<PolicyTables['learn']>): boolean {
    return this.#policies?.learn(...answer) ?? false
  }

  /** The sets of addresses that domain names of policies lead to. */
  get nameSets(): PolicyTables['nameSets'] {
    return this.#policies?.nameSets ?? []
  }

  /** The next round: what changed since the last one, or everything at the start and after a doubt. */
  plan(snapshot: Snapshot, changes: Changes, now: () => number = () => performance.now()): Round {
    const first = !this.#compiled
    const nodesChanged = first || changes.nodes.size > 0 || this.#surroundingsChanged
    this.#surroundingsChanged = false
    const operations: Operation[] = []
    const begun = now()
    const moved = nodesChanged && this.#takeNodes(snapshot)
    const compiledNodes = now()
    const egress = this.#takeEgress(snapshot, first ? undefined : changes)
    if (nodesChanged || changes.egresses.size > 0)
      operations.push(...this.#podTables.update(this.#pods, this.#egress?.addresses ?? []))
    if (nodesChanged) operations.push(...this.#services.rescope(this.scope))
    if (nodesChanged) this.#policies?.setOwnPrefixes(this.#pods.prefixes)
    const policies = this.#policies?.update(snapshot, first ? undefined : changes)
    operations.push(...(this.#hostPorts?.update(snapshot, first ? undefined : changes) ?? []))
    operations.push(...(policies?.operations ?? []))
    operations.push(...(egress?.operations ?? []))
    let compileMs = compiledNodes - begun
    let loweringMs = now() - compiledNodes
    const keys = first || moved ? allKeys(snapshot, changes) : changes.services
    const services = this.#services.take(snapshot, keys, { view: this.#view, known: this.#confirmed, now })
    operations.push(...services.operations)
    compileMs += services.compileMs
    loweringMs += services.loweringMs
    this.#compiled = true
    const pods = nodesChanged ? this.#pods : undefined
    const tightened = policies?.tightened ?? new Set()
    for (const [address, grant] of egress?.regranted ?? []) this.#owedGrants.set(address, grant)
    const regranted = new Map(this.#owedGrants)
    if (this.#confirmed) {
      const { stale } = services
      return { transaction: operations, full: false, stale, tightened, regranted, pods, compileMs, loweringMs }
    }
    const start = now()
    const whole = this.#services.full()
    const guard = this.#policies?.full()
    const transaction = [
      ...clearTables(this.#options.families),
      ...this.#podTables.full(),
      ...(this.#hostPorts?.full() ?? []),
      ...whole.operations,
      ...(guard?.operations ?? []),
      ...(this.#egress?.full() ?? []),
    ]
    loweringMs += now() - start
    const stale = [...this.#owedStale, ...services.stale, ...whole.stale]
    const all = guard?.tightened ?? tightened
    return { transaction, full: true, stale, tightened: all, regranted, pods: this.#pods, compileMs, loweringMs }
  }

  /** The round is in the kernel. */
  confirm(): void {
    this.#confirmed = true
    this.#owedStale = []
    this.#owedGrants.clear()
  }

  /** The round failed, so what the kernel holds is unknown until a whole round succeeds. */
  doubt(failed?: Round): void {
    this.#confirmed = false
    this.#owedStale.push(...(failed?.stale.filter(({ serving }) => serving.size === 0) ?? []))
  }

  /** Whether the kernel holds what the last plan said. */
  get confirmed(): boolean {
    return this.#confirmed
  }

  /** Tells whether every Service must be looked at again: a node's name is given, its zone and its addresses may change. */
  #takeNodes(snapshot: Snapshot): boolean {
    const { node } = this.#options
    this.#pods = compilePodNetwork(node, snapshot.nodes.values())
    const view = viewNode(this.#options, snapshot.nodes.get(node), this.#pods, this.#localAddresses)
    if (isDeepStrictEqual(view, this.#view)) return false
    this.#view = view
    return true
  }

  #takeEgress(snapshot: Snapshot, changes: Changes | undefined): EgressPlan | undefined {
    const cluster = [
      ...this.#pods.unmasqueraded,
      ...this.#servicePrefixes,
      ...apiServerAddresses(snapshot).map(hostPrefix),
    ]
    const around = { cluster, own: this.#pods.prefixes, addressesOf: nodeAddresses }
    return this.#egress?.update(snapshot, around, changes)
  }
}
