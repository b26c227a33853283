import { isMapKey } from '../haproxy/index.ts'
import type { HostPattern } from './host.ts'

/** An entry of a map, by the map's name. */
export type Entry = readonly [map: string, key: string, value: string]

/** The entries of one thing of the model. Things may have one in common: it says the same in all of them. */
export type Part = readonly Entry[]

/** An entry for a host, where it can be one. */
export function hostEntry(exact: string, suffixes: string, host: HostPattern, key: string, value: string): Part {
  if (!isMapKey(key)) return []
  return [host.kind === 'suffix' ? [suffixes, key.slice(1), value] : [exact, key, value]]
}
