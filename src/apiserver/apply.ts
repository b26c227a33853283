import { errors, type KubeObject } from '../objects/index.ts'
import { type Applied, apply } from '../ownership/index.ts'
import type { Gate } from './admission-gate.ts'
import { parseYaml } from './body.ts'
import type { Call } from './core.ts'
import { decodeObject, fieldValidationOf } from './decode.ts'
import { applierOf } from './field-manager.ts'
import { Refusal } from './refusal.ts'
import { keyOf, type Scope } from './scope.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import type { Transaction } from './store.ts'
import { copyOf, isRecord, timestamp } from './value.ts'
import { createObject, updateObject, type Written } from './write.ts'

/** What somebody wants to be true of an object (server-side apply). */
export interface Configuration {
  readonly applied: KubeObject
  readonly manager: string
  readonly force: boolean
  /** Adds a warning to the answer. */
  readonly warn: (text: string) => void
}

/** Reads an apply request; 422 without a manager, 400 for a body that is no object or is for another name. */
export async function readConfiguration(scope: Scope, call: Call): Promise<Configuration> {
  const applier = applierOf(call)
  fieldValidationOf(call.query)
  const value = await parseYaml(await call.body())
  if (!isRecord(value)) throw new Refusal(errors.badRequest('error decoding YAML: the configuration is not an object'))
  const { kind } = scope
  if (value.kind !== kind.kind) {
    const message = `invalid object type: ${JSON.stringify(value.kind ?? '')}, expected ${JSON.stringify(kind.kind)}`
    throw new Refusal(errors.badRequest(message))
  }
  value.metadata ??= {}
  if (!isRecord(value.metadata)) throw new Refusal(errors.badRequest('error decoding YAML: metadata is not an object'))
  const { name } = value.metadata
  if (name !== undefined && name !== scope.name) {
    const message = `the name of the object (${name}) does not match the name on the URL (${scope.name})`
    throw new Refusal(errors.badRequest(message))
  }
  return { applied: value as unknown as KubeObject, ...applier, warn: call.warn }
}

/** Merges a configuration into the stored object; creates the object when there is none. */
export function applyConfiguration(
  scope: Scope,
  { applied, manager, force, warn }: Configuration,
  allocator: ServiceAllocator,
  transaction: Transaction,
  gate: Gate | undefined,
  subresource = scope.subresource,
): Written & { readonly created: boolean } {
  const { kind } = scope
  const current = transaction.find(scope.collection, keyOf(scope.namespace, scope.name!))
  if (current === undefined) refuseCreation(scope, applied, subresource)
  const live = current?.value
  const result = apply({ kind, live, applied, manager, force, subresource, now: timestamp() })
  const { object: merged, managedFields } = mergedOf(result)
  const object = decodeObject(kind, copyOf(merged), 'Strict', warn)
  const track = () => managedFields
  if (current !== undefined)
    return { ...updateObject(scope, () => object, allocator, transaction, track, gate), created: false }
  object.metadata.name ??= scope.name!
  return { ...createObject(scope, object, allocator, transaction, track, gate), created: true }
}

function mergedOf(result: Applied): Applied & { outcome: 'merged' } {
  switch (result.outcome) {
    case 'merged':
      return result
    case 'conflicts':
      throw new Refusal(errors.applyConflict(result.conflicts))
    case 'refused':
      throw new Refusal(errors.badRequest(result.why))
    default:
      return result satisfies never
  }
}

function refuseCreation({ kind, name }: Scope, { metadata }: KubeObject, subresource: string | undefined): void {
  if (subresource !== undefined) throw new Refusal(errors.notFound(kind, name!))
  if (!metadata.uid) return
  const cause = `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`
  throw new Refusal(errors.conflict(kind, name!, cause))
}
