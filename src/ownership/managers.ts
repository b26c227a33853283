import { difference, type FieldSet, isEmpty, setOfPaths, union } from './field-set.ts'
import { type FieldsV1, parseFieldsV1, renderFieldsV1 } from './fields-v1.ts'

/** One entry of `metadata.managedFields` (meta.v1.ManagedFieldsEntry). */
export interface ManagedFieldsEntry {
  readonly manager?: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  /** RFC 3339, whole seconds. */
  readonly time?: string
  readonly fieldsType: 'FieldsV1'
  readonly fieldsV1?: FieldsV1
  readonly subresource?: string
}

/** Who owns something, and how it came by it; appliers are one over all versions. */
export type Identity = Pick<ManagedFieldsEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

/** One manager and what it owns. */
export interface Owner {
  readonly identity: Identity
  readonly time: string | undefined
  readonly fields: FieldSet
  /** The stored entry that says the same. */
  readonly entry?: ManagedFieldsEntry
}

/** All managers of an object by identity. */
export type Owners = ReadonlyMap<string, Owner>

/** So many managers of plain updates are kept apart; the oldest beyond it become one (upstream's DefaultMaxUpdateManagers). */
export const updateManagerLimit = 10
const oldest = 'ancient-changes'

/** The same text for entries of the same manager. */
export function keyOfIdentity({ manager = '', operation, apiVersion, subresource = '' }: Identity): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource])
}

/** The managers of a `managedFields`; undefined when an entry is malformed. */
export function parseManagedFields(value: unknown): Owners | undefined {
  if (value === undefined || value === null) return new Map()
  if (!Array.isArray(value)) return undefined
  const owners = new Map<string, Owner>()
  for (const item of value as readonly (Partial<ManagedFieldsEntry> | null)[]) {
    const { operation, apiVersion, fieldsType, time } = item ?? {}
    if (operation !== 'Apply' && operation !== 'Update') return undefined
    if (typeof apiVersion !== 'string' || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined
    const fields = parseFieldsV1(item?.fieldsV1 ?? {})
    if (fields === undefined) return undefined
    const entry = item as ManagedFieldsEntry
    owners.set(keyOfIdentity(entry), { identity: entry, time, fields, entry })
  }
  return owners
}

/** The `managedFields` of these managers in upstream's order; undefined when there are none. */
export function renderManagedFields(owners: Owners): readonly ManagedFieldsEntry[] | undefined {
  const entries = [...owners.values()].filter(({ fields }) => !isEmpty(fields)).map(entryOf)
  return entries.length === 0 ? undefined : entries.sort(compareEntries)
}

function entryOf({ identity, time, fields, entry }: Owner): ManagedFieldsEntry {
  const same = entry !== undefined && parseFieldsV1(entry.fieldsV1 ?? {}) === fields
  if (same && entry.time === time && entry.apiVersion === identity.apiVersion) return entry
  const { manager, operation, apiVersion, subresource } = identity
  return {
    ...(manager === undefined ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: same ? entry.fieldsV1! : renderFieldsV1(fields),
    ...(subresource === undefined || subresource === '' ? {} : { subresource }),
  }
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

/** Fields that nobody owns: the server's, and those that name the object. */
const unowned = setOfPaths(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields'].map(
    (name) => ['f:metadata', `f:${name}`],
  ),
  ['f:metadata', 'f:resourceVersion'],
)

/** The set without fields that nobody owns. */
export function ownable(fields: FieldSet): FieldSet {
  return difference(fields, unowned)
}

/** The managers with the oldest updates rolled into one per version when there are more than the limit. */
export function capManagers(owners: Owners): Owners {
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
    capped.set(bucket, { identity, time: owner.time, fields: union(before.fields, owner.fields) })
    count--
  }
  return capped
}
