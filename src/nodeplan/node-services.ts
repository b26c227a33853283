import { isDeepStrictEqual } from 'node:util'
import type { Family } from '../addr/index.ts'
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import type { Operation } from '../nft/index.ts'
import {
  compileService,
  type Drain,
  type HealthCheck,
  type LoweredService,
  lowerService,
  type NodeView,
  type ServiceModel,
  type ServicesScope,
  ServiceTables,
  type StaleFlows,
} from '../services/index.ts'

/** Services compiled together: enough to time the stages apart, few enough that their models are soon forgotten. */
const batch = 256

/** What all Services mean on one node, as far as it is asked for between rounds, and their tables. */
export class NodeServices {
  readonly #tables: ServiceTables
  readonly #findings = new Map<ObjectKey, readonly Finding[]>()
  #healthChecks: ReadonlyMap<ObjectKey, HealthCheck> = new Map()
  readonly #withoutLocal = { internal: new Set<ObjectKey>(), external: new Set<ObjectKey>() }
  readonly #drains = new Map<ObjectKey, Drain>()
  #scopeText: string | undefined
  #findingCount = 0

  constructor(families: readonly Family[] | undefined, loopbackNodePorts: boolean | undefined) {
    this.#tables = new ServiceTables(families, loopbackNodePorts)
  }

  /** `healthCheckNodePort` of the Services that have one, with what it has to answer; another map after each change. */
  get healthChecks(): ReadonlyMap<ObjectKey, HealthCheck> {
    return this.#healthChecks
  }

  /** How many Services have a policy Local and no endpoint on this node, though elsewhere. */
  get withoutLocalEndpoints(): { readonly internal: number; readonly external: number } {
    return { internal: this.#withoutLocal.internal.size, external: this.#withoutLocal.external.size }
  }

  /** Which endpoints of which Services go, where connections to them are to be cut. */
  get drains(): ReadonlyMap<ObjectKey, Drain> {
    return this.#drains
  }

  get findings(): readonly Finding[] {
    return [...this.#findings.values()].flat()
  }

  /** How many findings there are, without gathering them. */
  get findingCount(): number {
    return this.#findingCount
  }

  /** Findings about frontends that several Services want. */
  get conflicts(): readonly Finding[] {
    return this.#tables.conflicts()
  }

  find(id: string): ReturnType<ServiceTables['find']> {
    return this.#tables.find(id)
  }

  hasSeat(family: Family, seat: string): boolean {
    return this.#tables.hasSeat(family, seat)
  }

  /** Everything, for tables that are not there. */
  full(): ReturnType<ServiceTables['full']> {
    return this.#tables.full()
  }

  /** Nodes report often, and hardly ever other prefixes. */
  rescope(scope: ServicesScope): readonly Operation[] {
    const text = JSON.stringify(scope)
    if (text === this.#scopeText) return []
    this.#scopeText = text
    return this.#tables.rescope(scope)
  }

  /**
   * Looks at these Services again. `known`: the kernel has what was said before, so the answer is what changes; else `full` has to follow.
   */
  take(
    snapshot: Snapshot,
    keys: Iterable<ObjectKey>,
    { view, known, now }: { readonly view: NodeView; readonly known: boolean; readonly now: () => number },
  ): { operations: readonly Operation[]; stale: readonly StaleFlows[]; compileMs: number; loweringMs: number } {
    const lowered = new Map<ObjectKey, LoweredService | undefined>()
    let compileMs = 0
    let loweringMs = 0
    for (const some of batches(keys)) {
      const start = now()
      const models = some.map((key) => [key, this.#compile(snapshot, key, view)] as const)
      const compiled = now()
      for (const [key, model] of models) lowered.set(key, model && lowerService(model, view.name))
      compileMs += compiled - start
      loweringMs += now() - compiled
    }
    const start = now()
    const plan = known ? this.#tables.update(lowered) : { operations: [], stale: this.#tables.absorb(lowered) }
    return { ...plan, compileMs, loweringMs: loweringMs + now() - start }
  }

  #noteSilence(key: ObjectKey, model: ServiceModel | undefined): void {
    const { internal, external } = this.#withoutLocal
    internal.delete(key)
    external.delete(key)
    for (const { kind, outcome } of model?.frontends ?? []) {
      if (outcome.kind === 'drop') (kind === 'cluster-ip' ? internal : external).add(key)
    }
  }

  #compile(snapshot: Snapshot, key: ObjectKey, view: NodeView): ServiceModel | undefined {
    const service = snapshot.services.get(key)
    const model = service && compileService(service, snapshot.slicesOf(key), view)
    this.#findingCount += (model?.findings.length ?? 0) - (this.#findings.get(key)?.length ?? 0)
    if (model === undefined || model.findings.length === 0) this.#findings.delete(key)
    else this.#findings.set(key, model.findings)
    this.#noteSilence(key, model)
    if (model?.drain === undefined) this.#drains.delete(key)
    else this.#drains.set(key, model.drain)
    if (!isDeepStrictEqual(model?.healthCheck, this.#healthChecks.get(key))) {
      const others = [...this.#healthChecks].filter(([other]) => other !== key)
      this.#healthChecks = new Map(model?.healthCheck === undefined ? others : [...others, [key, model.healthCheck]])
    }
    return model
  }
}

function* batches(keys: Iterable<ObjectKey>): Generator<ObjectKey[]> {
  let some: ObjectKey[] = []
  for (const key of keys) {
    some.push(key)
    if (some.length < batch) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}

/** Every Service that there is, or that has just gone. */
export function allKeys(snapshot: Snapshot, changes: Changes): Iterable<ObjectKey> {
  // Those that are gone are only among the changes.
  return changes.services.size === 0
    ? snapshot.services.keys()
    : new Set([...snapshot.services.keys(), ...changes.services])
}
