import { familyOf, findAddress, findPrefix, offsetOf, prefixAddress, prefixFamily, prefixSize } from '../addr/index.ts'
import type { Value } from './ruleset.ts'

/** An address, a prefix, a range of addresses (`A-B`) or a prefix with a mask of its own (`A/255.0.0.0`); undefined for anything else. */
export function findAddresses(text: string): Value | undefined {
  const single = findAddress(text)
  if (single !== undefined) return range(offsetOf(single), offsetOf(single))
  const [low = '', high = ''] = text.split('-')
  const [from, to] = [findAddress(low), findAddress(high)]
  if (from !== undefined && to !== undefined && familyOf(from) === familyOf(to))
    return range(offsetOf(from), offsetOf(to))
  const prefix = findPrefix(text, true)
  if (prefix === undefined) return undefined
  const first = offsetOf(prefixAddress(prefix))
  return prefixFamily(prefix) === familyOf(prefixAddress(prefix))
    ? range(first, first + prefixSize(prefix) - 1n)
    : undefined
}

/** `80`, `1000:2000` and `1000-2000`; an open end reaches as far as ports do. */
export function findPorts(text: string): Value | undefined {
  const parts = /^(\d*)(?:[:-](\d*))?$/.exec(text)
  if (parts === null || text === '') return undefined
  const [, low = '', high] = parts
  const from = low === '' ? 0 : Number(low)
  const to = high === undefined ? from : high === '' ? 65535 : Number(high)
  return from > 65535 || to > 65535 ? undefined : range(BigInt(from), BigInt(to))
}

export function range(from: bigint, to: bigint): Value {
  return { kind: 'range', from, to }
}

export function word(text: string): Value {
  return { kind: 'word', word: text }
}
