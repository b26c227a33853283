import { apiVersionOf, type Kind, type KubeObject } from '../objects/index.ts'
import { type Comparison, compare, without } from './compare.ts'
import { difference, emptySet, type FieldSet, isEmpty, union } from './field-set.ts'
import { fieldTypeOf } from './field-type.ts'
import {
  capManagers,
  type Identity,
  keyOfIdentity,
  type ManagedFieldsEntry,
  type Owner,
  type Owners,
  ownable,
  parseManagedFields,
  renderManagedFields,
} from './managers.ts'
import { resetFields } from './reset-fields.ts'
import { equalValues, isHollow, isRecord } from './value.ts'

/** A kind, as far as ownership depends on it. */
export type OwnedKind = Pick<Kind, 'group' | 'version' | 'kind' | 'subresources'>

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
  const { kind, live, updated } = request
  const stored = live?.metadata.managedFields as readonly ManagedFieldsEntry[] | undefined
  const owners = ownersOf(request)
  if (owners.size === 0 && live !== undefined) return undefined
  const type = fieldTypeOf(kind)
  const found = without(compare(type, bare(live ?? {}), bare(updated)), resetFields(kind, request.subresource))
  const next = takeOver(owners, found, request)
  return next === owners && owners === parsedOnce(stored) ? stored : renderManagedFields(capManagers(next))
}

/** The managers after `manager` changed `found`. */
function takeOver(owners: Owners, { added, modified, removed }: Comparison, request: UpdateRequest): Owners {
  const { kind, manager, subresource } = request
  const identity: Identity = { manager, operation: 'Update', apiVersion: apiVersionOf(kind), subresource }
  const key = keyOfIdentity(identity)
  const set = union(added, modified)
  const next = release(release(owners, set, key), removed)
  const taken = ownable(set)
  if (isEmpty(taken)) return next
  const mine = next.get(key)
  const fields = union(mine?.fields ?? emptySet, taken)
  return new Map(next).set(key, { ...mine, identity, time: request.now, fields })
}

/** The managers without these fields; who owns nothing any longer is gone. */
export function release(owners: Owners, fields: FieldSet, except?: string): Owners {
  if (isEmpty(fields)) return owners
  let next: Map<string, Owner> | undefined
  for (const [key, owner] of owners) {
    if (key === except) continue
    const rest = difference(owner.fields, fields)
    if (rest === owner.fields) continue
    next ??= new Map(owners)
    if (isEmpty(rest)) next.delete(key)
    else next.set(key, { ...owner, fields: rest })
  }
  return next ?? owners
}

/** A client may write managedFields itself, or reset them with an empty list; what it leaves out or garbles stays as stored. */
function ownersOf({ live, updated, subresource }: UpdateRequest): Owners {
  const stored = live?.metadata.managedFields
  const sent = updated.metadata.managedFields
  if (subresource === undefined && sent !== undefined && live !== undefined) {
    if (isReset(sent)) return new Map()
    // A patch carries a copy of the stored list along; comparing is cheaper than parsing.
    if (equalValues(sent, stored)) return parsedOnce(stored)
    const owners = parseManagedFields(sent)
    if (owners !== undefined && owners.size > 0) return owners
  }
  return parsedOnce(stored)
}

const parsedLists = new WeakMap<object, Owners>()

/** The managers of a stored list; parsed once. */
export function parsedOnce(stored: unknown): Owners {
  if (!Array.isArray(stored)) return new Map()
  let owners = parsedLists.get(stored)
  if (owners === undefined) {
    owners = parseManagedFields(stored) ?? new Map<string, Owner>()
    parsedLists.set(stored, owners)
  }
  return owners
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
