import { encode } from './encode.ts'
import { hostText } from './host.ts'
import { eachOf, isSameList } from './keyed.ts'
import { hostEntry, type Part } from './lower-entry.ts'
import { Hits } from './lower-hits.ts'
import type { Called } from './lower-spares.ts'
import { lowerTier } from './lower-tier.ts'
import { answering, isOrdered, mapNames, routesMap } from './lower-words.ts'
import type { Entrance, GatewayModel, ListenerModel, StreamRoute, UserList } from './model.ts'

export type Entries = ReadonlyMap<string, string>

/** Parts of things, place by place: a thing that stays where it was keeps its part. */
interface Group {
  readonly of: readonly object[]
  readonly parts: readonly Part[]
}

/** All maps, in parts. */
export interface LoweredMaps {
  /** In the order of look-ups. */
  readonly names: readonly string[]
  readonly groups: ReadonlyMap<string, Group>
}

/**
 * A request's host leads to a tier; the tier's name and the path lead to a hit in the map of the entrance's routes:
 * `=|BACKEND|ROUTE` is the end, `+|BACKEND|ROUTE|ACTION` too but filters act on it, and `*…` on its body;
 * `=|SPARE|ROUTE||BACKEND` and `+|SPARE|ROUTE|ACTION|BACKEND` where HAProxy knows the backend by another name (`lower-spares.ts`);
 * `%ID` is shared by weights; `?ID` has conditions that the router looks at, and may come to nothing.
 */
export function lowerMaps(
  { entrances, userLists }: Pick<GatewayModel, 'entrances' | 'userLists'>,
  called: Called,
  before?: LoweredMaps,
): LoweredMaps {
  const groups = new Map<string, Group>()
  const add = <Of extends object>(name: string, of: readonly Of[], lower: (one: Of) => Part): void => {
    const last = before?.groups.get(name)
    groups.set(name, last?.of === of ? last : { of, parts: eachOf(of, lower, last?.of, last?.parts) })
  }
  for (const entrance of entrances) {
    const { id, shownPort, protocol, tiers, listeners, streams } = entrance
    const name = `${id} ${shownPort} ${protocol}`
    add(`${name} tiers`, tiers, (tier) => lowerTier(tier, entrance, called))
    if (protocol === 'TLS') add(`${name} listeners`, listeners, (one) => lowerName(one, entrance))
    add(`${name} streams`, streams, (one) => lowerStream(one, entrance, called))
  }
  add('users', userLists, lowerUsers)
  const routes = entrances.filter(({ protocol }) => protocol !== 'TCP').map(routesMap)
  const names = mapNames(routes)
  const isSame =
    before !== undefined &&
    before.groups.size === groups.size &&
    isSameList(before.names, names) &&
    [...groups].every(([name, group]) => before.groups.get(name) === group)
  return isSame ? before : { names, groups }
}

/** The entries of some maps, by name, whole; of suffixes HAProxy takes the first that fits, so the longest is the first. */
export function entriesOf({ groups }: LoweredMaps, names: Iterable<string>): ReadonlyMap<string, Entries> {
  const found = new Map<string, Map<string, string>>([...names].map((name) => [name, new Map()]))
  for (const { parts } of groups.values())
    for (const part of parts) for (const [map, key, value] of part) found.get(map)?.set(key, value)
  for (const [name, entries] of found)
    if (isOrdered(name))
      found.set(name, new Map([...entries].sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1))))
  return found
}

function lowerName({ host, mode, id }: ListenerModel, entrance: Entrance): Part {
  return hostEntry('names', 'name-suffixes', host, `${hostText(host)}|${entrance.id}`, `${mode}|${id}`)
}

function lowerStream({ host, action }: StreamRoute, entrance: Entrance, called: Called): Part {
  const hits = new Hits(called)
  const hit = hits.of({ ...action, filters: [] }, answering.closed)
  const entry = hostEntry('streams', 'stream-suffixes', host, `${hostText(host)}|${entrance.id}`, hit)
  return [...entry, ...hits.entries()]
}

function lowerUsers({ id, users }: UserList): Part {
  return users.map(([name, hash]) => ['actions', `${id}:${encode(name)}`, encode(hash)])
}
