import { type Address, addressFromBytes } from '../addr/index.ts'

/** An object with one property, or with none when the value is undefined: keeps absent fields absent. */
export function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

/** The address of a payload of 4 or 16 bytes; undefined for an absent payload or another size. */
export function findBytes(bytes: Uint8Array | undefined): Address | undefined {
  return bytes?.length === 4 || bytes?.length === 16 ? addressFromBytes(bytes) : undefined
}
