import type { Field, Form, Message } from './protobuf-table.ts'
import { ProtobufError } from './wire.ts'

/** What a form's message holds: the wire's own fields, before it becomes JSON. */
export interface Parts {
  readonly string?: string
  readonly type?: number
  readonly intVal?: number
  readonly strVal?: string
  readonly seconds?: number
  readonly nanos?: number
  /** Base64. */
  readonly raw?: string
  readonly items?: readonly string[]
  readonly allows?: boolean
  readonly schema?: object
  readonly schemas?: readonly object[]
  readonly names?: readonly string[]
}

function scalar(number: number, name: keyof Parts, type: 'string' | 'bytes' | 'bool' | 'int32' | 'int64'): Field {
  return { number, name, holds: 'one', element: { kind: 'scalar', scalar: type }, dropsZero: false }
}

function message(name: Form, ...fields: Field[]): Message {
  return { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) }
}

const timeFields = [scalar(1, 'seconds', 'int64'), scalar(2, 'nanos', 'int32')]
const rawField = scalar(1, 'raw', 'bytes')

function schema(number: number, name: keyof Parts, holds: 'one' | 'list' = 'one'): Field {
  return {
    number,
    name,
    holds,
    element: { kind: 'message', message: 'apiextensions.v1.JSONSchemaProps' },
    dropsZero: false,
  }
}

/** The message behind each form; apimachinery's resource.Quantity, intstr.IntOrString, Time, MicroTime, FieldsV1, RawExtension, ExtraValue; apiextensions' JSONSchemaPropsOrArray, …OrBool, …OrStringArray. */
export const formMessages: Readonly<Record<Form, Message>> = {
  quantity: message('quantity', scalar(1, 'string', 'string')),
  'int-or-string': message(
    'int-or-string',
    scalar(1, 'type', 'int64'),
    scalar(2, 'intVal', 'int32'),
    scalar(3, 'strVal', 'string'),
  ),
  time: message('time', ...timeFields),
  'micro-time': message('micro-time', ...timeFields),
  fields: message('fields', rawField),
  raw: message('raw', rawField),
  strings: message('strings', { ...scalar(1, 'items', 'string'), holds: 'list' }),
  'schema-or-list': message('schema-or-list', schema(1, 'schema'), schema(2, 'schemas', 'list')),
  'schema-or-bool': message('schema-or-bool', scalar(1, 'allows', 'bool'), schema(2, 'schema')),
  'schema-or-names': message('schema-or-names', schema(1, 'schema'), {
    ...scalar(2, 'names', 'string'),
    holds: 'list',
  }),
}

/** Go's zero time, 0001-01-01T00:00:00Z, in seconds since 1970. */
const zeroSeconds = -62135596800
/** The end of year 9999, the last that RFC 3339 can say. */
const lastSeconds = 253402300799

/** The time as JSON has it; undefined for Go's zero time and for 1970 to the second, which its decoder takes for it. */
export function renderTime({ seconds = 0, nanos = 0 }: Parts, micro: boolean): string | undefined {
  if ((seconds === 0 && nanos === 0) || seconds === zeroSeconds) return undefined
  if (seconds < zeroSeconds || seconds > lastSeconds || nanos < 0 || nanos > 999_999_999)
    throw new ProtobufError(`time ${seconds}.${nanos}: outside of the years 1 to 9999`)
  const text = new Date(seconds * 1000).toISOString().slice(0, 19)
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`
}

/** The parts of an RFC 3339 time; none for the zero time. */
export function parseTime(value: unknown): Parts {
  if (value === '' || value === null) return {}
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw new ProtobufError(`${JSON.stringify(value)} is not a time`)
  const fraction = /\.(\d+)/.exec(value as string)?.[1] ?? ''
  return { seconds: Math.floor(ms / 1000), nanos: Number(fraction.slice(0, 9).padEnd(9, '0')) }
}
