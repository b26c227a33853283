import { apiVersionOf, type KubeObject } from '../objects/index.ts'
import { checkTyped } from './check.ts'
import { compareObjects, without } from './compare.ts'
import { type Element, renderPath, sortElements } from './element.ts'
import { difference, emptySet, equalSets, type FieldSet, has, intersection, isEmpty, union } from './field-set.ts'
import type { FieldType } from './field-type.ts'
import { fieldsOf, withNamedFields } from './fields-of.ts'
import { allowedByLastApplied, withLastApplied } from './last-applied.ts'
import {
  fieldsOfOwner,
  type Identity,
  keyOfIdentity,
  type ManagedFieldsEntry,
  type Owners,
  ownable,
  ownersIn,
  release,
  renderManagedFields,
} from './managers.ts'
import { merge } from './merge.ts'
import { removeFields } from './remove.ts'
import { resetFields } from './reset-fields.ts'
import { bare, fieldTypeOf, type OwnedKind, update } from './update.ts'
import { equalValues } from './value.ts'

/** One server-side apply. */
export interface ApplyRequest {
  readonly kind: OwnedKind
  /** The stored object; undefined when there is none. Not changed. */
  readonly live: KubeObject | undefined
  /** The configuration, with apiVersion and kind. Not changed. */
  readonly applied: KubeObject
  readonly manager: string
  /** Takes over what other managers own. */
  readonly force: boolean
  readonly subresource?: string | undefined
  /** RFC 3339, whole seconds. */
  readonly now: string
}

/** A field that another manager owns with another value: `.spec.replicas`, `"kubectl" using apps/v1`. */
export interface Conflict {
  readonly field: string
  readonly manager: string
}

/** What comes of an apply. */
export type Applied =
  /** The new object before defaults; shares parts with what came in. */
  | {
      readonly outcome: 'merged'
      readonly object: KubeObject
      readonly managedFields: readonly ManagedFieldsEntry[] | undefined
    }
  | { readonly outcome: 'conflicts'; readonly conflicts: readonly Conflict[] }
  /** The configuration makes no sense, in upstream's words. */
  | { readonly outcome: 'refused'; readonly why: string }

/** Merges a configuration into the stored object: fields that its manager no longer applies and nobody else owns go (KEP-555). */
export function apply(request: ApplyRequest): Applied {
  const { kind, live, applied, manager } = request
  const why = refusal(request)
  if (why !== undefined) return { outcome: 'refused', why }
  const type = fieldTypeOf(kind)
  const owners = ownersBefore(request)
  let result = applyOver(request, type, owners, request.force)
  if (result.outcome === 'conflicts' && manager === 'kubectl' && live !== undefined) {
    // Values that client-side apply wrote are kubectl's own: moving to the server is no conflict.
    const allowed = allowedByLastApplied(type, kind, live)
    if (allowed !== undefined) {
      const rest = result.paths.filter(({ path }) => !has(allowed, path))
      result = rest.length === 0 ? applyOver(request, type, owners, true) : { ...result, paths: rest }
    }
  }
  if (result.outcome === 'conflicts') return { outcome: 'conflicts', conflicts: result.paths.map(conflictOf) }
  const object = manager === 'kubectl' ? withLastApplied(result.object, applied) : result.object
  return { ...result, object }
}

function refusal({ kind, applied }: ApplyRequest): string | undefined {
  const expected = apiVersionOf(kind)
  if (applied.apiVersion !== expected)
    return `Incorrect version specified in apply patch. Specified patch version: ${applied.apiVersion}, expected: ${expected}`
  if (applied.metadata.managedFields !== undefined) return 'metadata.managedFields must be nil'
  const errors = checkTyped(fieldTypeOf(kind), applied)
  if (errors.length === 0) return undefined
  const { namespace = '', name = '' } = applied.metadata
  const text = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join('\n')}`
  return `failed to create typed patch object (${namespace}/${name}; ${expected}, Kind=${kind.kind}): ${text}`
}

/** An object that nobody was tracked on belongs to `before-first-apply`. */
function ownersBefore({ kind, live, subresource, now }: ApplyRequest): Owners {
  const owners = ownersIn(live?.metadata.managedFields as readonly ManagedFieldsEntry[] | undefined)
  if (owners.size > 0 || live === undefined) return owners
  const updated = bare(live) as KubeObject
  return ownersIn(update({ kind, live: undefined, updated, manager: 'before-first-apply', subresource, now }))
}

interface ConflictPath {
  readonly path: readonly Element[]
  readonly identity: Identity
}

type Attempt = Extract<Applied, { outcome: 'merged' }> | { outcome: 'conflicts'; paths: readonly ConflictPath[] }

function applyOver(request: ApplyRequest, type: FieldType, owners: Owners, force: boolean): Attempt {
  const { kind, manager, subresource, now } = request
  const ignored = resetFields(kind, subresource)
  const live = bare(request.live ?? {})
  const identity: Identity = { manager, operation: 'Apply', apiVersion: apiVersionOf(kind), subresource }
  const key = keyOfIdentity(identity)
  const last = owners.get(key)
  const fields = difference(fieldsOf(type, request.applied), ignored, true)
  const claimed = new Map(owners).set(key, { identity, time: now, fields })
  const lastFields = last === undefined ? emptySet : fieldsOfOwner(last)
  const pruned = prune(type, merge(type, live, request.applied), claimed, lastFields)
  // A map that pruning emptied is gone; the configuration may want it, empty.
  const object = merge(type, pruned, request.applied) as KubeObject
  const changes = without(compareObjects(type, live as object, object), ignored)
  const taken = union(changes.added, changes.modified)
  const paths = force ? [] : conflictsOf(claimed, taken, key)
  if (paths.length > 0) return { outcome: 'conflicts', paths }
  const rest = release(release(claimed, taken, key), changes.removed, key)
  const own = ownable(fields)
  // An apply that says what it said, over an object that stays as it is, keeps its time: it is no write.
  const same = last !== undefined && equalSets(lastFields, own) && equalValues(live, object)
  const mine = same ? { ...last, identity } : { identity, time: now, fields: own }
  return { outcome: 'merged', object, managedFields: renderManagedFields(new Map(rest).set(key, mine)) }
}

/** Takes away what the manager applied last time, does not apply now, and nobody owns. */
function prune(type: FieldType, merged: unknown, owners: Owners, last: FieldSet): unknown {
  if (isEmpty(last)) return merged
  const named = (set: FieldSet) => withNamedFields(type, set)
  const fieldsIn = (value: unknown) => named(fieldsOf(type, value ?? {}))
  const lastNamed = named(last)
  const all = fieldsIn(merged)
  const owned = [...owners.values()].reduce((set, owner) => union(set, fieldsOfOwner(owner)), emptySet)
  const untouched = fieldsIn(removeFields(type, merged, lastNamed))
  // Removing a parent took what others own below it, too: back with that, and with what nobody ever owned.
  const kept = fieldsIn(removeFields(type, merged, difference(all, union(untouched, named(owned)))))
  return removeFields(type, merged, intersection(difference(all, kept), lastNamed)) ?? {}
}

function conflictsOf(owners: Owners, taken: FieldSet, except: string): readonly ConflictPath[] {
  const found: ConflictPath[] = []
  for (const [key, owner] of owners) {
    if (key === except) continue
    const { identity } = owner
    for (const path of sortedPaths(intersection(fieldsOfOwner(owner), taken))) found.push({ path, identity })
  }
  return found.sort((a, b) => (renderManager(a.identity) < renderManager(b.identity) ? -1 : 1))
}

function sortedPaths(set: FieldSet, prefix: readonly Element[] = []): readonly (readonly Element[])[] {
  const below = sortElements(set.fields.keys()).flatMap((element) =>
    sortedPaths(set.fields.get(element)!, [...prefix, element]),
  )
  return set.owned ? [prefix, ...below] : below
}

function conflictOf({ path, identity }: ConflictPath): Conflict {
  return { field: renderPath(path), manager: renderManager(identity) }
}

function renderManager({ manager = '', operation, apiVersion, subresource }: Identity): string {
  const name = JSON.stringify(manager)
  const whole = subresource ? `${name} with subresource ${JSON.stringify(subresource)}` : name
  return operation === 'Update' ? `${whole} using ${apiVersion}` : whole
}
