import type { Scalar } from './schema.ts'

/** The name of a JSON value's type in Go's decoder. */
export function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** The decoder's complaint about a scalar, or undefined; `holder` is the Go struct field, `ServicePort.spec.ports.port`. */
export function checkScalar(scalar: Scalar, value: unknown, holder: string): string | undefined {
  const wrong = (type: string, what = jsonType(value)) =>
    `json: cannot unmarshal ${what} into Go struct field ${holder} of type ${type}`
  switch (scalar) {
    case 'string':
      return typeof value === 'string' ? undefined : wrong('string')
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrong('bool')
    case 'double':
      return typeof value === 'number' ? undefined : wrong('float64')
    case 'int32':
    case 'int64':
      return checkInteger(scalar, value, wrong)
    case 'int-or-string':
      return typeof value === 'string' ? undefined : checkInteger('int32', value, wrong)
    case 'byte':
      return typeof value === 'string' ? checkBase64(value) : wrong('[]uint8')
    case 'quantity':
      return checkQuantity(value)
    case 'date-time':
    case 'date-time-micro':
      return typeof value === 'string' ? checkTime(scalar, value) : wrong('string')
    default:
      return scalar satisfies never
  }
}

type Complaint = (type: string, what?: string) => string

function checkInteger(type: 'int32' | 'int64', value: unknown, wrong: Complaint): string | undefined {
  if (typeof value !== 'number') return wrong(type)
  const bound = type === 'int32' ? 2 ** 31 : 2 ** 63
  return Number.isInteger(value) && value >= -bound && value < bound ? undefined : wrong(type, `number ${value}`)
}

function checkBase64(value: string): string | undefined {
  const text = value.replace(/[\r\n]/g, '')
  const sound = /^[A-Za-z0-9+/]*={0,2}/.exec(text)?.[0].length ?? 0
  if (sound === text.length && text.length % 4 === 0) return undefined
  return `illegal base64 data at input byte ${sound === text.length ? Math.floor(text.length / 4) * 4 : sound}`
}

const quantityForm = /^[+-]?(\d+\.?\d*|\.\d+)(|[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)$/

function checkQuantity(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string' && quantityForm.test(text)) return undefined
  if (typeof text === 'string' && /^[+-]?[0-9.]+[eEinumkKMGTP]+[-+]?[0-9]*$/.test(text))
    return "unable to parse quantity's suffix"
  return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/

function checkTime(scalar: 'date-time' | 'date-time-micro', value: string): string | undefined {
  if (value === '' || (rfc3339.test(value) && !Number.isNaN(Date.parse(value)))) return undefined
  const layout = scalar === 'date-time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00'
  return `parsing time "${value}" as "${layout}": cannot parse "${value}" as "2006"`
}
