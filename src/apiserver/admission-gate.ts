import type { Attributes, Operation, Target } from '../admission/index.ts'
import { isCustom } from '../customresources/index.ts'
import { errors, type KubeObject } from '../objects/index.ts'
import { type Asker, runMutating, runValidating } from './admission-hooks.ts'
import type { Plan } from './admission-plan.ts'
import { judge, type Remarks } from './admission-policies.ts'
import type { Call, Core } from './core.ts'
import { decodeObject } from './decode.ts'
import type { Entry } from './entry.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import type { Transaction } from './store.ts'
import { copyOf } from './value.ts'

/** Where a write asks admission. Each call throws: a refusal, or the news that webhooks have to be asked before the write can go on. */
export interface Gate {
  /** The new object as mutating webhooks leave it. */
  mutate(object: KubeObject, old: Entry | undefined): KubeObject
  /** Asks about the object as it will be stored. */
  validate(object: KubeObject, old: Entry | undefined): void
  /** Asks about a deletion. */
  remove(old: Entry): void
}

/** How admission sees an object that is written through a subresource with a kind of its own. */
export interface View {
  readonly kind: Attributes['kind']
  readonly show: (object: KubeObject) => KubeObject
  /** Puts a changed view into the object. */
  readonly take: (object: KubeObject, shown: KubeObject) => KubeObject
}

/** What is written, and by which request. */
export interface Written {
  readonly scope: Scope
  readonly call: Call
  readonly dryRun: boolean
  readonly options: Attributes['options']
  readonly view?: View
}

/** A write is tried again so often when what it is about changes while webhooks are asked. */
const attempts = 10

type Stage = 'mutate' | 'validate' | 'remove'

/** The write cannot go on before webhooks have been asked. */
class Pending extends Error {
  readonly stage: Stage
  readonly attributes: Attributes
  readonly plan: Plan

  constructor(stage: Stage, attributes: Attributes, plan: Plan) {
    super('webhooks have to be asked')
    this.stage = stage
    this.attributes = attributes
    this.plan = plan
  }
}

/**
 * Runs a write under admission. Webhooks answer late and a write is one step, so the write is tried, thrown away where webhooks
 * have to be asked, and run again with their answers; they are asked anew when the stored object has changed meanwhile.
 */
export async function admitted<T>(
  core: Core,
  written: Written,
  work: (transaction: Transaction, gate: Gate | undefined) => T,
): Promise<T> {
  if (core.plans.idle) return core.store.write((transaction) => work(transaction, undefined), written.dryRun)
  const gate = new WriteGate(core, written)
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        gate.start()
        return await core.store.write((transaction) => work(transaction, gate), written.dryRun)
      } catch (error) {
        if (!(error instanceof Pending)) throw error
        await gate.resolve(error)
      }
    }
  } finally {
    gate.tell()
  }
  throw new Refusal(errors.conflict(written.scope.kind, written.scope.name ?? ''))
}

class WriteGate implements Gate {
  readonly #core: Core
  readonly #written: Written
  readonly #asker: Asker
  /** What webhooks said of the stored state of this revision; 0 for an object that is not there yet. */
  #revision = -1
  #mutated: KubeObject | undefined
  #validated = false
  #told: Remarks = { warnings: [], annotations: new Map() }
  #judged: Remarks = { warnings: [], annotations: new Map() }

  constructor(core: Core, written: Written) {
    this.#core = core
    this.#written = written
    this.#asker = { caller: core.webhooks, reader: core.reader }
  }

  start(): void {
    this.#judged = { warnings: [], annotations: new Map() }
  }

  mutate(object: KubeObject, old: Entry | undefined): KubeObject {
    const { scope, view } = this.#written
    const [target, plan] = this.#planOf(old === undefined ? 'CREATE' : 'UPDATE')
    if (plan === undefined) return object
    this.#about(old)
    if (plan.mutating.length === 0) return object
    if (this.#mutated === undefined) throw new Pending('mutate', this.#attributes(target, object, old), plan)
    const mutated = copyOf(this.#mutated)
    if (view !== undefined) return view.take(object, mutated)
    const decoded = decodeObject(scope.kind, mutated, 'Ignore', () => undefined)
    scope.kind.applyDefaults(decoded, old?.value)
    return decoded
  }

  validate(object: KubeObject, old: Entry | undefined): void {
    const [target, plan] = this.#planOf(old === undefined ? 'CREATE' : 'UPDATE')
    if (plan === undefined) return
    this.#about(old)
    this.#ask('validate', this.#attributes(target, object, old), plan)
  }

  remove(old: Entry): void {
    const [target, plan] = this.#planOf('DELETE')
    if (plan === undefined) return
    this.#about(old)
    this.#ask('remove', this.#attributes(target, undefined, old), plan)
  }

  async resolve({ stage, attributes, plan }: Pending): Promise<void> {
    if (stage !== 'validate') {
      const object = await runMutating(this.#asker, plan, attributes, this.#told)
      if (stage === 'mutate') {
        this.#mutated = object
        return
      }
    }
    await runValidating(this.#asker, plan, attributes, this.#told)
    this.#validated = true
  }

  /** Passes warnings and audit annotations on to the answer. */
  tell(): void {
    for (const { warnings, annotations } of [this.#told, this.#judged]) {
      for (const text of warnings) this.#written.call.warn(text)
      for (const [key, text] of annotations) this.#written.call.annotate(key, text)
    }
  }

  #ask(stage: Stage, attributes: Attributes, plan: Plan): void {
    judge(plan.policies, attributes, this.#core.registry, this.#core.reader, this.#judged)
    const hooks = stage === 'remove' ? plan.mutating.length + plan.validating.length : plan.validating.length
    if (hooks > 0 && !this.#validated) throw new Pending(stage, attributes, plan)
  }

  #about(old: Entry | undefined): void {
    const revision = old?.revision ?? 0
    if (revision === this.#revision) return
    this.#revision = revision
    this.#mutated = undefined
    this.#validated = false
  }

  #planOf(operation: Operation): [Target, Plan | undefined] {
    const target = targetOf(this.#core, this.#written.scope, operation)
    return [target, this.#core.plans.find(target)]
  }

  #attributes(target: Target, object: KubeObject | undefined, old: Entry | undefined): Attributes {
    const { view, ...rest } = this.#written
    const show = view?.show ?? ((item: KubeObject) => item)
    return attributesOf(target, rest, object && copyOf(show(object)), old && copyOf(show(old.value)), view?.kind)
  }
}

/** What rules are matched with, for an operation on a scope. */
export function targetOf({ registry }: Core, { kind, subresource = '' }: Scope, operation: Operation): Target {
  const { group, version, plural, namespaced } = kind
  const served = isCustom(kind) ? (registry.groups().find((item) => item.name === group)?.versions ?? []) : [version]
  const versions = served.filter((item) => item === version || registry.find(group, item, plural) !== undefined)
  return { operation, group, version, resource: plural, subresource, namespaced, versions }
}

/** A write in admission's words. */
export function attributesOf(
  target: Target,
  { scope, dryRun, options }: Omit<Written, 'view'>,
  object: KubeObject | undefined,
  oldObject: KubeObject | undefined,
  kind: Attributes['kind'] = { group: scope.kind.group, version: scope.kind.version, kind: scope.kind.kind },
): Attributes {
  const name = scope.name ?? object?.metadata?.name ?? ''
  const isNamespace = target.group === '' && target.resource === 'namespaces'
  const namespace = scope.namespace ?? (isNamespace ? name : '')
  return { target, kind, name, namespace, object, oldObject, user: scope.user, dryRun, options }
}
