import type { Kind } from './contract.ts'
import { isRecord } from './json.ts'
import { type Shape, type StructType, schemaOf, structType } from './schema.ts'

const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const form = /^([+-]?)(\d*)\.?(\d*)(|[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)$/
const nano = 10n ** 9n
/** Longer numbers are left as they are. */
const maximumDigits = 60

/** A quantity as Go writes it: no fraction, the largest suffix that leaves a whole number (`0.1` is `100m`, `1024Mi` is `1Gi`); other text stays. */
export function canonicalQuantity(text: string): string {
  const [, sign = '', whole = '', fraction = '', suffix = ''] = form.exec(text) ?? []
  const exponent = /^[eE]/.test(suffix) ? Number(suffix.slice(1)) : undefined
  if (whole + fraction === '' || text.length > maximumDigits || Math.abs(exponent ?? 0) > maximumDigits) return text
  const nanos = nanosOf(BigInt(whole + fraction), fraction.length, suffix, exponent)
  if (nanos === 0n) return '0'
  const shown = suffix.endsWith('i') ? renderBinary(nanos) : renderDecimal(nanos, exponent !== undefined)
  return (sign === '-' ? '-' : '') + shown
}

/** In billionths, rounded up: who asks for something gets something. */
function nanosOf(digits: bigint, places: number, suffix: string, exponent: number | undefined): bigint {
  const power = binary.indexOf(suffix)
  const tens = 9 - places + (exponent ?? (power > 0 ? 0 : 3 * (decimal.indexOf(suffix) - decimal.indexOf(''))))
  const units = power > 0 ? digits * 1024n ** BigInt(power) : digits
  if (tens >= 0) return units * 10n ** BigInt(tens)
  const divisor = 10n ** BigInt(-tens)
  return (units + divisor - 1n) / divisor
}

function renderDecimal(nanos: bigint, exponential: boolean): string {
  let value = nanos
  let step = 0
  while (value % 1000n === 0n && (exponential || step < decimal.length - 1)) {
    value /= 1000n
    step++
  }
  const exponent = 3 * step - 9
  if (exponential) return exponent === 0 ? `${value}` : `${value}e${exponent}`
  return `${value}${decimal[step]}`
}

/** Below 1,024, and where bytes are broken, the decimal suffixes say it better. */
function renderBinary(nanos: bigint): string {
  if (nanos % nano !== 0n || nanos < 1024n * nano) return renderDecimal(nanos, false)
  let value = nanos / nano
  let step = 0
  while (value % 1024n === 0n && step < binary.length - 1) {
    value /= 1024n
    step++
  }
  return `${value}${binary[step]}`
}

/** Gives every quantity of a checked object its canonical form, in place. */
export function canonicalizeQuantities(kind: Pick<Kind, 'group' | 'version' | 'kind'>, object: object): void {
  const schema = schemaOf(kind)
  if (schema !== undefined) walkStruct(schema, object as Record<string, unknown>)
}

function walkStruct(struct: StructType, object: Record<string, unknown>): void {
  for (const [name, { shape }] of quantified(struct)) {
    if (object[name] !== undefined) object[name] = walk(shape, object[name])
  }
}

function walk(shape: Shape, value: unknown): unknown {
  if (shape.kind === 'scalar') return typeof value === 'object' ? value : canonicalQuantity(String(value))
  if (shape.kind === 'list' && Array.isArray(value)) for (const item of value) walk(shape.items, item)
  else if (shape.kind === 'map' && isRecord(value))
    for (const [key, item] of Object.entries(value)) value[key] = walk(shape.values, item)
  else if (shape.kind === 'struct' && isRecord(value)) walkStruct(structType(shape.type), value)
  return value
}

const known = new Map<string, [string, { readonly shape: Shape }][]>()

/** The properties of a type in which quantities are, found once per type. */
function quantified(struct: StructType): [string, { readonly shape: Shape }][] {
  const found = known.get(struct.key)
  if (found !== undefined) return found
  // A type that holds itself ends here.
  known.set(struct.key, [])
  const properties = [...struct.properties].filter(([, { shape }]) => holdsQuantity(shape))
  known.set(struct.key, properties)
  return properties
}

function holdsQuantity(shape: Shape): boolean {
  if (shape.kind === 'scalar') return shape.scalar === 'quantity'
  if (shape.kind === 'list') return holdsQuantity(shape.items)
  if (shape.kind === 'map') return holdsQuantity(shape.values)
  return shape.kind === 'struct' && quantified(structType(shape.type)).length > 0
}
