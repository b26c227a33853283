import { createRequire } from 'node:module'
import { findStructType, packageOf } from './schema.ts'

/** A value on the wire with a JSON form of its own; see `protobuf-forms.ts`. */
export type Form =
  | 'quantity'
  | 'int-or-string'
  | 'time'
  | 'micro-time'
  | 'fields'
  | 'raw'
  | 'strings'
  | 'schema-or-list'
  | 'schema-or-bool'
  | 'schema-or-names'

export type WireScalar = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double'

/** What one value of a field is. `message` names another row of the table. */
export type Element =
  | { readonly kind: 'scalar'; readonly scalar: WireScalar }
  | { readonly kind: 'form'; readonly form: Form }
  | { readonly kind: 'message'; readonly message: string }

/** One field of a message. */
export interface Field {
  readonly number: number
  /** The name in JSON. */
  readonly name: string
  readonly holds: 'one' | 'list' | 'map' | 'inline'
  readonly element: Element
  /** Go writes it whether it is set or not and JSON leaves it out when zero, so a zero value means that it is not there. */
  readonly dropsZero: boolean
}

/** The fields of a message, by number for readers; `fields` is in ascending order for writers. */
export interface Message {
  readonly name: string
  readonly fields: readonly Field[]
  readonly byNumber: ReadonlyMap<number, Field>
}

type Row = readonly [number: number, name: string, type: string, mode?: 'inline' | 'pointer']

let table: Readonly<Record<string, readonly Row[]>> | undefined
const messages = new Map<string, Message>()

// Parsed at first use: most processes never read protobuf.
function rows(): Readonly<Record<string, readonly Row[]>> {
  table ??= createRequire(import.meta.url)('./protobuf.generated.json') as NonNullable<typeof table>
  return table
}

/** The message of that name, e.g. `core.v1.Pod`; undefined when no numbers are known. */
export function findMessage(name: string): Message | undefined {
  let message = messages.get(name)
  if (message !== undefined || !Object.hasOwn(rows(), name)) return message
  message = readMessage(name, rows()[name]!)
  messages.set(name, message)
  return message
}

/** The message of that name; throws when no numbers are known. */
export function getMessage(name: string): Message {
  const message = findMessage(name)
  if (message === undefined) throw new Error(`no field numbers of the message "${name}"`)
  return message
}

/** Kinds of meta/v1 that stand in every group. */
const everywhere = new Set([
  'CreateOptions',
  'DeleteOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'Status',
  'UpdateOptions',
])

/** The message of objects of that kind; undefined for kinds that have none, such as custom ones. */
export function messageOf(apiVersion: string, kind: string): Message | undefined {
  if (everywhere.has(kind)) return findMessage(`meta.v1.${kind}`)
  const slash = apiVersion.indexOf('/')
  const group = apiVersion.slice(0, Math.max(slash, 0))
  if (group.includes('.') && !group.endsWith('.k8s.io')) return undefined
  return findMessage(`${packageOf(group)}.${apiVersion.slice(slash + 1)}.${kind}`)
}

const forms: ReadonlySet<string> = new Set<Form>([
  'quantity',
  'int-or-string',
  'time',
  'micro-time',
  'fields',
  'raw',
  'strings',
  'schema-or-list',
  'schema-or-bool',
  'schema-or-names',
])

function elementOf(type: string): Element {
  if (forms.has(type)) return { kind: 'form', form: type as Form }
  return type.includes('.') ? { kind: 'message', message: type } : { kind: 'scalar', scalar: type as WireScalar }
}

function readMessage(name: string, numbered: readonly Row[]): Message {
  const properties = findStructType(name)?.properties
  const fields = numbered.map(([number, json, type, mode]): Field => {
    const holds = mode ?? (type.startsWith('[]') ? 'list' : type.startsWith('{}') ? 'map' : 'one')
    return {
      number,
      name: json,
      holds: holds === 'pointer' ? 'one' : holds,
      element: elementOf(type.replace(/^(\[\]|\{\})/, '')),
      dropsZero: mode !== 'pointer' && properties?.get(json)?.required !== true,
    }
  })
  return { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) }
}
