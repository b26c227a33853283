import type { SetDeclaration } from './language.ts'
import { type ValueType, valueTypes } from './value-type.ts'

/** A set as bytes: what its declaration, or its use as an anonymous set, says about the layout of keys and values. */
export interface SetShape {
  readonly name: string
  readonly key: readonly ValueType[]
  /** The value's parts; `verdict` for verdict maps; absent for sets. */
  readonly value?: readonly ValueType[] | 'verdict'
  readonly interval: boolean
  /** Bytes of a key in registers; parts of a concatenation are padded to 4. */
  readonly keySize: number
  readonly valueSize: number
}

const shapes = new WeakMap<SetDeclaration, SetShape>()

/** The layout of a named set; refuses what nft 1.0.6 cannot say or list. */
export function shapeOf(set: SetDeclaration): SetShape {
  const known = shapes.get(set)
  if (known !== undefined) return known
  const interval = set.flags?.includes('interval') ?? false
  const key = set.key.map((type) => {
    if (type === 'verdict') throw new TypeError(`set ${set.name}: a verdict is no key`)
    return valueTypes[type]
  })
  // nft swaps bytes of host-order keys in interval sets in rules that it cannot see from here.
  const unordered = interval && key.find((type) => type.order === 'host')
  if (unordered)
    throw new TypeError(`set ${set.name}: ${unordered.name} has no place in an interval set; list the values`)
  const shape = makeShape(set.name, key, valueShape(set), interval)
  shapes.set(set, shape)
  return shape
}

function valueShape(set: SetDeclaration): readonly ValueType[] | 'verdict' | undefined {
  if (set.value === undefined) return undefined
  if (set.value[0] === 'verdict' && set.value.length === 1) return 'verdict'
  return set.value.map((type) => {
    if (type === 'verdict') throw new TypeError(`map ${set.name}: a verdict stands alone`)
    return valueTypes[type]
  })
}

/** The layout of a set with these parts. */
export function makeShape(
  name: string,
  key: readonly ValueType[],
  value: readonly ValueType[] | 'verdict' | undefined,
  interval: boolean,
): SetShape {
  if (key.length === 0) throw new TypeError(`set ${name}: a key has at least one part`)
  const keySize = partsSize(key)
  if (keySize > 64) throw new TypeError(`set ${name}: a key of ${keySize} bytes exceeds the 64 that registers hold`)
  return {
    name,
    key,
    ...(value === undefined ? {} : { value }),
    interval,
    keySize,
    valueSize: value === undefined || value === 'verdict' ? 0 : partsSize(value),
  }
}

/** Bytes that parts take side by side: a single one as it is, several padded to registers of 4 bytes. */
export function partsSize(parts: readonly ValueType[]): number {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only.size
  return parts.reduce((sum, part) => sum + ((part.size + 3) & ~3), 0)
}

/** NFTA_SET_KEY_TYPE: one type's number, or several, 6 bits each (TYPE_BITS of nft's datatype.h). */
export function typeNumber(parts: readonly ValueType[]): number {
  return parts.reduce((number, part) => ((number << 6) | part.id) >>> 0, 0)
}
