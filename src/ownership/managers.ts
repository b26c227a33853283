import { unownedMetadata } from './compare.ts'
import { difference, emptySet, type FieldSet, isEmpty, setOfPaths, union } from './field-set.ts'
import { type FieldsV1, holds, meets, parseFieldsV1, renderFieldsV1 } from './fields-v1.ts'

/** One entry of `metadata.managedFields` (meta.v1.ManagedFieldsEntry). */
export interface ManagedFieldsEntry {
  readonly manager?: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  /** RFC 3339, whole seconds. */
  readonly time?: string
  readonly fieldsType: 'FieldsV1'
  readonly fieldsV1: FieldsV1
  readonly subresource?: string
}

/** Who owns something, and how it came by it; appliers are one over all versions. */
export type Identity = Pick<ManagedFieldsEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

/** One manager and what it owns: what its stored entry says, or a set where that changed. */
export type Owner = {
  readonly identity: Identity
  readonly time: string | undefined
} & ({ readonly entry: ManagedFieldsEntry; readonly fields?: undefined } | { readonly fields: FieldSet })

/** All managers of an object by identity. */
export type Owners = ReadonlyMap<string, Owner>

/** So many managers of plain updates are kept apart; the oldest beyond it become one (upstream's DefaultMaxUpdateManagers). */
export const updateManagerLimit = 10
const oldest = 'ancient-changes'

/** The same text for entries of the same manager. */
export function keyOfIdentity({ manager = '', operation, apiVersion, subresource = '' }: Identity): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource])
}

/** The managers of a stored `managedFields`, which this server wrote; none when it is missing. */
export function ownersIn(stored: readonly ManagedFieldsEntry[] | undefined): Owners {
  const owners = new Map<string, Owner>()
  for (const entry of stored ?? []) owners.set(keyOfIdentity(entry), { identity: entry, time: entry.time, entry })
  return owners
}

/** The managers of a `managedFields` from outside; undefined when an entry is malformed. */
export function parseManagedFields(value: readonly unknown[]): Owners | undefined {
  const owners = new Map<string, Owner>()
  for (const item of value as readonly (Partial<ManagedFieldsEntry> | null)[]) {
    const { manager, operation, apiVersion, fieldsType, subresource, time } = item ?? {}
    if (operation !== 'Apply' && operation !== 'Update') return undefined
    if (typeof apiVersion !== 'string' || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined
    if (![manager, subresource, time].every((text) => text === undefined || typeof text === 'string')) return undefined
    const fields = parseFieldsV1(item?.fieldsV1 ?? {})
    if (fields === undefined) return undefined
    const identity: Identity = { manager, operation, apiVersion, subresource }
    owners.set(keyOfIdentity(identity), { identity, time, fields })
  }
  return owners
}

/** What a manager owns. */
export function fieldsOfOwner(owner: Owner): FieldSet {
  if (owner.fields !== undefined) return owner.fields
  return parseFieldsV1(owner.entry.fieldsV1) ?? emptySet
}

/** The managers without these fields, save one of them; who owns nothing any longer is gone. */
export function release(owners: Owners, fields: FieldSet, except?: string): Owners {
  if (isEmpty(fields)) return owners
  let next: Map<string, Owner> | undefined
  for (const [key, owner] of owners) {
    if (key === except || (owner.fields === undefined && !meets(owner.entry.fieldsV1, fields))) continue
    next ??= new Map(owners)
    const rest = difference(fieldsOfOwner(owner), fields)
    if (isEmpty(rest)) next.delete(key)
    else next.set(key, { identity: owner.identity, time: owner.time, fields: rest })
  }
  return next ?? owners
}

/** The manager with these fields on top, as of now. */
export function extend(owner: Owner | undefined, identity: Identity, fields: FieldSet, time: string): Owner {
  if (owner === undefined) return { identity, time, fields }
  if (owner.fields === undefined && holds(owner.entry.fieldsV1, fields)) return { ...owner, identity, time }
  return { identity, time, fields: union(fieldsOfOwner(owner), fields) }
}

/** The `managedFields` of these managers in upstream's order; undefined when there are none. */
export function renderManagedFields(owners: Owners): readonly ManagedFieldsEntry[] | undefined {
  const entries: ManagedFieldsEntry[] = []
  for (const owner of owners.values())
    if (owner.fields === undefined || !isEmpty(owner.fields)) entries.push(entryOf(owner))
  if (entries.length > 1) entries.sort(compareEntries)
  return entries.length === 0 ? undefined : entries
}

function entryOf(owner: Owner): ManagedFieldsEntry {
  const { manager, operation, apiVersion, subresource } = owner.identity
  const { time } = owner
  if (owner.fields === undefined && owner.entry.time === time && owner.entry.apiVersion === apiVersion)
    return owner.entry
  return {
    ...(manager === undefined ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: owner.fields === undefined ? owner.entry.fieldsV1 : shared(renderFieldsV1(owner.fields)),
    ...(subresource === undefined || subresource === '' ? {} : { subresource }),
  }
}

const sharedLimit = 1000
const sharedFields = new Map<string, FieldsV1>()

/** The same value for the same fields: objects of one making are alike, and each is held in memory. */
function shared(value: FieldsV1): FieldsV1 {
  const text = JSON.stringify(value)
  const found = sharedFields.get(text)
  if (found !== undefined) return found
  if (sharedFields.size >= sharedLimit) sharedFields.clear()
  sharedFields.set(text, value)
  return value
}

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return (
    compareTexts(a.operation, b.operation) ||
    compareTexts(a.time ?? '', b.time ?? '') ||
    compareTexts(a.manager ?? '', b.manager ?? '') ||
    compareTexts(a.apiVersion, b.apiVersion) ||
    compareTexts(a.subresource ?? '', b.subresource ?? '')
  )
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const unowned = setOfPaths(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[...unownedMetadata].map((name) => ['f:metadata', `f:${name}`]),
)

/** The set without fields that nobody owns. */
export function ownable(fields: FieldSet): FieldSet {
  return difference(fields, unowned)
}

/** The managers with the oldest updates rolled into one per version when there are more than the limit. */
export function capManagers(owners: Owners): Owners {
  if (owners.size <= updateManagerLimit) return owners
  const updates = [...owners].filter(([, { identity }]) => identity.operation === 'Update')
  if (updates.length <= updateManagerLimit) return owners
  updates.sort(([a, { time: s = '' }], [b, { time: t = '' }]) => compareTexts(s, t) || compareTexts(a, b))
  const capped = new Map(owners)
  const firstOf = new Map<string, string>()
  let count = updates.length
  for (const [key, owner] of updates) {
    if (count <= updateManagerLimit) break
    const { apiVersion } = owner.identity
    const first = firstOf.get(apiVersion)
    if (first === undefined) {
      firstOf.set(apiVersion, key)
      continue
    }
    const identity: Identity = { manager: oldest, operation: 'Update', apiVersion }
    const bucket = keyOfIdentity(identity)
    const before = capped.get(bucket) ?? capped.get(first)!
    if (!capped.has(bucket)) capped.delete(first)
    capped.delete(key)
    capped.set(bucket, { identity, time: owner.time, fields: union(fieldsOfOwner(before), fieldsOfOwner(owner)) })
    count--
  }
  return capped
}
