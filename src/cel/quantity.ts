import type * as Cel from '@marcbachmann/cel-js'

// Upstream keeps quantities to a nano.
const places = 9
const unit = 10n ** BigInt(places)
const suffixes: Readonly<Record<string, bigint>> = {
  k: 1000n,
  M: 1000n ** 2n,
  G: 1000n ** 3n,
  T: 1000n ** 4n,
  P: 1000n ** 5n,
  E: 1000n ** 6n,
  Ki: 1024n,
  Mi: 1024n ** 2n,
  Gi: 1024n ** 3n,
  Ti: 1024n ** 4n,
  Pi: 1024n ** 5n,
  Ei: 1024n ** 6n,
}
const parts: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3 }
/** What a quantity's exponent may be; others would be numbers of any length. */
const largestExponent = 100

/** A resource.Quantity, exact to a nano. */
export class Quantity {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

/** The quantity that a text says; undefined for text that is none. */
export function findQuantity(text: string): Quantity | undefined {
  const form = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/.exec(text)
  if (form === null) return undefined
  const [, sign, whole = '', fraction = '', suffix = '', exponent = '0'] = form
  const shift = (parts[suffix] ?? 0) + Number(exponent)
  if (whole + fraction === '' || Math.abs(shift) > largestExponent) return undefined
  const digits = BigInt(whole + fraction) * (suffixes[suffix] ?? 1n)
  const power = places + shift - fraction.length
  const nanos = power >= 0 ? digits * 10n ** BigInt(power) : roundedUp(digits, 10n ** BigInt(-power))
  return new Quantity(sign === '-' ? -nanos : nanos)
}

/** Away from zero, as upstream. */
function roundedUp(digits: bigint, by: bigint): bigint {
  return (digits + by - 1n) / by
}

function parse(text: string): Quantity {
  const found = findQuantity(text)
  if (found === undefined)
    throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  return found
}

/** Kubernetes' quantity library. */
export function registerQuantity(environment: Cel.Environment): Cel.Environment {
  const compare = (a: Quantity, b: Quantity) => (a.nanos < b.nanos ? -1n : a.nanos > b.nanos ? 1n : 0n)
  const asInteger = ({ nanos }: Quantity) => {
    if (nanos % unit !== 0n) throw new Error('cannot convert value to integer')
    return nanos / unit
  }
  return environment
    .registerType('Quantity', Quantity as never)
    .registerOperator('Quantity == Quantity', (a: Quantity, b: Quantity) => a.nanos === b.nanos)
    .registerFunction('quantity(string): Quantity', parse)
    .registerFunction('isQuantity(string): bool', (text: string) => findQuantity(text) !== undefined)
    .registerFunction('Quantity.sign(): int', (it: Quantity) => compare(it, new Quantity(0n)))
    .registerFunction('Quantity.isInteger(): bool', ({ nanos }: Quantity) => nanos % unit === 0n)
    .registerFunction('Quantity.asInteger(): int', asInteger)
    .registerFunction('Quantity.asApproximateFloat(): double', ({ nanos }: Quantity) => Number(nanos) / Number(unit))
    .registerFunction('Quantity.add(Quantity): Quantity', (a: Quantity, b: Quantity) => new Quantity(a.nanos + b.nanos))
    .registerFunction('Quantity.add(int): Quantity', (a: Quantity, b: bigint) => new Quantity(a.nanos + b * unit))
    .registerFunction('Quantity.sub(Quantity): Quantity', (a: Quantity, b: Quantity) => new Quantity(a.nanos - b.nanos))
    .registerFunction('Quantity.sub(int): Quantity', (a: Quantity, b: bigint) => new Quantity(a.nanos - b * unit))
    .registerFunction('Quantity.isLessThan(Quantity): bool', (a: Quantity, b: Quantity) => a.nanos < b.nanos)
    .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: Quantity, b: Quantity) => a.nanos > b.nanos)
    .registerFunction('Quantity.compareTo(Quantity): int', compare)
}
