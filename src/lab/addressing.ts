import {
  type Address,
  addressAt,
  offsetOf,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixSize,
} from '../addr/index.ts'

/**
 * The address with the number `host` in a prefix. In IPv6 the digits are kept as they are read (`fd00:30::11` beside
 * `172.30.0.11`), so that both addresses of one machine look alike.
 */
export function hostAddress(prefix: Prefix, host: number): Address {
  const base = prefixAddress(prefix)
  if (prefixFamily(prefix) === 4) return addressAt(4, offsetOf(base) + BigInt(host))
  return addressAt(6, offsetOf(base) + offsetOf(parseAddress(`::${host}`)))
}

/** The prefix of the same length that is `steps` after this one. */
export function nextPrefix(prefix: Prefix, steps: number): Prefix {
  const family = prefixFamily(prefix)
  const first = offsetOf(prefixAddress(prefix)) + BigInt(steps) * prefixSize(prefix)
  return parsePrefix(`${addressAt(family, first)}/${prefixLength(prefix)}`)
}

/** Host numbers of the lab's machines on their segments. */
export const hostNumber = { router: 1, control: 2, outside: 10, node: (index: number) => 10 + index } as const

/** The name of the lab's node `index`, counted from 1. */
export function nodeName(index: number): string {
  return `node-${index}`
}
