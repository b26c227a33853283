import { isMapKey } from '../haproxy/index.ts'
import { encode } from './encode.ts'
import { type HostPattern, hostText, moreSpecific } from './host.ts'
import { Hits } from './lower-hits.ts'
import { lowerTier } from './lower-tier.ts'
import { answering, type Paths, routesPath } from './lower-words.ts'
import type { GatewayModel } from './model.ts'

export type Entries = ReadonlyMap<string, string>

/**
 * All maps by path. A request's host leads to a tier; the tier's name and the path lead to a hit in the map of the entrance's routes:
 * `=|BACKEND|ROUTE` is the end, `+|BACKEND|ROUTE|ACTION` too but filters act on it, and `*…` on its body;
 * `%ID` is shared by weights; `?ID` has conditions that the router looks at, and may come to nothing.
 */
export function lowerMaps(
  { entrances, userLists }: GatewayModel,
  paths: Paths,
  directory: string,
): Map<string, Entries> {
  const hits = new Hits()
  const hosts = new Map<string, string>()
  const suffixes: [HostPattern, string, string][] = []
  const parents = new Map<string, string>()
  const routes: [string, Entries][] = []
  const names = new Map<string, string>()
  const nameSuffixes: [HostPattern, string, string][] = []
  const streams = new Map<string, string>()
  const streamSuffixes: [HostPattern, string, string][] = []
  for (const entrance of entrances) {
    const keyOf = (host: HostPattern): string => `${hostText(host)}|${entrance.id}`
    const put = (
      into: Map<string, string>,
      ends: [HostPattern, string, string][],
      host: HostPattern,
      key: string,
      value: string,
    ) => {
      if (!isMapKey(key)) return
      if (host.kind === 'suffix') ends.push([host, key.slice(1), value])
      else into.set(key, value)
    }
    const own = new Map<string, string>()
    for (const tier of entrance.tiers) {
      const lowered = lowerTier(tier, entrance)
      put(hosts, suffixes, tier.host, lowered.key, lowered.name)
      if (lowered.parent !== undefined) parents.set(lowered.parent[0], lowered.parent[1])
      for (const [key, value] of lowered.routes) own.set(key, value)
      hits.take(lowered.hits)
    }
    if (entrance.protocol !== 'TCP') routes.push([routesPath(directory, entrance), own])
    if (entrance.protocol === 'TLS')
      for (const listener of entrance.listeners)
        put(names, nameSuffixes, listener.host, keyOf(listener.host), `${listener.mode}|${listener.id}`)
    for (const { host, action } of entrance.streams)
      put(streams, streamSuffixes, host, keyOf(host), hits.of({ ...action, filters: [] }, answering.closed))
  }
  for (const { id, users } of userLists)
    for (const [name, hash] of users) hits.actions.set(`${id}:${encode(name)}`, encode(hash))
  return new Map<string, Entries>([
    [paths.hosts, hosts],
    [paths.suffixes, longestFirst(suffixes)],
    [paths.parents, parents],
    ...routes,
    [paths.groups, hits.groups],
    [paths.regexes, hits.regexes],
    [paths.actions, hits.actions],
    [paths.weights, hits.weights],
    [paths.shares, hits.shares],
    [paths.names, names],
    [paths.nameSuffixes, longestFirst(nameSuffixes)],
    [paths.streams, streams],
    [paths.streamSuffixes, longestFirst(streamSuffixes)],
  ])
}

/** Of suffixes HAProxy takes the first that fits. */
function longestFirst(entries: [HostPattern, string, string][]): Entries {
  return new Map(entries.sort(([a], [b]) => moreSpecific(a, b)).map(([, key, value]) => [key, value]))
}
