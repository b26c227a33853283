import { apiVersionOf, type Kind, type KubeObject } from '../objects/index.ts'
import { compareObjects, without } from './compare.ts'
import { isEmpty, union } from './field-set.ts'
import { builtinType, type FieldType } from './field-type.ts'
import {
  capManagers,
  extend,
  type Identity,
  keyOfIdentity,
  type ManagedFieldsEntry,
  type Owners,
  ownersIn,
  parseManagedFields,
  release,
  renderManagedFields,
} from './managers.ts'
import { resetFields } from './reset-fields.ts'
import { type OwnershipSchema, typeOfDefinition } from './structural-type.ts'
import { equalValues, isHollow, isRecord } from './value.ts'

/** A kind, as far as ownership depends on it; a custom kind brings the schema of its definition. */
export type OwnedKind = Pick<Kind, 'group' | 'version' | 'kind' | 'subresources'> & {
  readonly custom?: { readonly schema: OwnershipSchema }
}

/** The type of a kind's objects; deduced for kinds without any schema. */
export function fieldTypeOf(kind: OwnedKind): FieldType {
  return kind.custom === undefined ? builtinType(kind) : typeOfDefinition(kind.custom.schema)
}

/** One create, update or patch that is no apply. */
export interface UpdateRequest {
  readonly kind: OwnedKind
  /** The stored object; undefined when this creates it. Not changed. */
  readonly live: KubeObject | undefined
  /** The object as it will be, defaults filled in. Not changed. */
  readonly updated: KubeObject
  readonly manager: string
  readonly subresource?: string | undefined
  /** RFC 3339, whole seconds. */
  readonly now: string
}

/**
 * The `managedFields` after a plain write: its manager owns what it added or changed, everyone else loses that and what it
 * removed. Undefined: nobody is tracked, which stays so until the first apply.
 */
export function update(request: UpdateRequest): readonly ManagedFieldsEntry[] | undefined {
  const { kind, live, updated, manager, subresource, now } = request
  const stored = live?.metadata.managedFields as readonly ManagedFieldsEntry[] | undefined
  const sent = sentOwners(request, stored)
  const owners = sent ?? ownersIn(stored)
  if (owners.size === 0 && live !== undefined) return undefined
  const type = fieldTypeOf(kind)
  const changes = without(compareObjects(type, live ?? {}, updated), resetFields(kind, subresource))
  const identity: Identity = { manager, operation: 'Update', apiVersion: apiVersionOf(kind), subresource }
  const key = keyOfIdentity(identity)
  const taken = union(changes.added, changes.modified)
  const left = release(release(owners, taken, key), changes.removed)
  if (!isEmpty(taken)) {
    const next = new Map(left).set(key, extend(left.get(key), identity, taken, now))
    return renderManagedFields(capManagers(next))
  }
  return left === owners && sent === undefined ? stored : renderManagedFields(left)
}

/**
 * A client may write managedFields itself, or reset them with an empty list. Undefined: the stored ones count, as they do when it
 * leaves them out, garbles them, or only carries a copy along as patches do.
 */
function sentOwners({ live, updated, subresource }: UpdateRequest, stored: unknown): Owners | undefined {
  const sent = updated.metadata.managedFields
  if (subresource !== undefined || sent === undefined || live === undefined || equalValues(sent, stored))
    return undefined
  if (isReset(sent)) return new Map()
  const owners = parseManagedFields(sent)
  return owners?.size === 0 ? undefined : owners
}

function isReset(sent: readonly unknown[]): boolean {
  return sent.length === 0 || (sent.length === 1 && isRecord(sent[0]) && isHollow(sent[0]))
}

/** The object without its managedFields, which are not fields to own. */
export function bare(object: object): unknown {
  const { metadata } = object as { metadata?: Record<string, unknown> }
  if (metadata?.managedFields === undefined) return object
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}
