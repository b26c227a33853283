import { createRequire } from 'node:module'
import type { Kind } from './contract.ts'
import { findMergeRule, isAtomic, type MergeRule } from './merge-rules.ts'

/** How a scalar is written. `int-or-string`, `quantity` and the dates take more than one JSON form or check their text. */
export type Scalar =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'byte'
  | 'date-time'
  | 'date-time-micro'
  | 'int-or-string'
  | 'quantity'

/** What a value looks like. `any` is JSON that Kubernetes does not look into. */
export type Shape =
  | { readonly kind: 'scalar'; readonly scalar: Scalar }
  | { readonly kind: 'any' }
  | { readonly kind: 'struct'; readonly type: string }
  | { readonly kind: 'list'; readonly items: Shape }
  | { readonly kind: 'map'; readonly values: Shape }

/** One field of a struct type. */
export interface Property extends MergeRule {
  readonly shape: Shape
  readonly required: boolean
  readonly description: string
  /** Server-side apply owns this map as one piece. */
  readonly atomic: boolean
}

/** One struct type of the Kubernetes API. */
export interface StructType {
  /** Short key: `core.v1.ServicePort`. */
  readonly key: string
  readonly description: string
  readonly properties: ReadonlyMap<string, Property>
  /** Server-side apply owns values of this type as one piece. */
  readonly atomic: boolean
}

type Row = readonly [type: string, required: 0 | 1, description: string]
type Table = Readonly<Record<string, { description: string; properties: Readonly<Record<string, Row>> }>>

// Parsed at first use: 3 ms and 2 MB that a process that never checks an object need not spend.
let table: Table | undefined
const structs = new Map<string, StructType>()

/** The struct type of that key; throws when there is none. */
export function structType(key: string): StructType {
  let struct = structs.get(key)
  if (struct === undefined) {
    struct = readStruct(key)
    structs.set(key, struct)
  }
  return struct
}

/** The struct type of that key, if it is described. */
export function findStructType(key: string): StructType | undefined {
  return Object.hasOwn(types(), key) ? structType(key) : undefined
}

/** The type of a served kind; undefined for kinds that are not built in (custom resources). */
export function schemaOf(kind: Pick<Kind, 'group' | 'version' | 'kind'>): StructType | undefined {
  const key = `${packageOf(kind.group)}.${kind.version}.${kind.kind}`
  return findStructType(key)
}

/** The short package of a group, the first word of a type's key. */
export function packageOf(group: string): string {
  return group === '' ? 'core' : group.replace(/\..*/, '')
}

function types(): Table {
  table ??= (createRequire(import.meta.url)('./schemas.generated.json') as { types: Table }).types
  return table
}

function readStruct(key: string): StructType {
  const row = types()[key]
  if (row === undefined) throw new Error(`no schema of the type "${key}"`)
  const properties = Object.entries(row.properties).map(([name, [type, required, description]]) => {
    const property = { shape: parseShape(type), required: required === 1, description, atomic: isAtomic(key, name) }
    return [name, { ...property, ...findMergeRule(key, name) }] as const
  })
  return { key, description: row.description, properties: new Map(properties), atomic: isAtomic(key) }
}

/** Go's notation with the map's key left out: `[]string`, `{}quantity`, `[]core.v1.Container`. */
function parseShape(text: string): Shape {
  if (text.startsWith('[]')) return { kind: 'list', items: parseShape(text.slice(2)) }
  if (text.startsWith('{}')) return { kind: 'map', values: parseShape(text.slice(2)) }
  if (text === 'any') return { kind: 'any' }
  return text.includes('.') ? { kind: 'struct', type: text } : { kind: 'scalar', scalar: text as Scalar }
}
