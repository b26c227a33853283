import { isMapKey } from '../haproxy/index.ts'
import { type HostPattern, hostText } from './host.ts'
import { hostEntry, type Part } from './lower-entry.ts'
import { Hits } from './lower-hits.ts'
import type { Called } from './lower-spares.ts'
import { routesMap } from './lower-words.ts'
import type { Entrance, HostTier, HttpRule } from './model.ts'

/** The entries of a tier at an entrance: the host leads to the tier, that to its parent and to its routes. */
export function lowerTier(tier: HostTier, entrance: Entrance, called: Called): Part {
  const name = tierName(tier.host, entrance)
  const key = `${hostText(tier.host)}|${entrance.id}`
  const hits = new Hits(called)
  const routes = new Map<string, string>()
  addRoutes(tier, name, key, hits, routes)
  const map = routesMap(entrance)
  return [
    ...hostEntry('hosts', 'suffixes', tier.host, key, name),
    ...(tier.parent ? [['parents', `${name}|${entrance.id}`, tierName(tier.parent, entrance)] as const] : []),
    ...[...routes].filter(([entry]) => isMapKey(entry)).map(([entry, hit]) => [map, entry, hit] as const),
    ...hits.entries(),
  ]
}

const usualPorts = { HTTP: 80, TLS: 443 }

/**
 * What stands before the path in the map of routes. Of a whole host what clients write into Host, so that host and path of a request can
 * be looked up as they come; other tiers begin with a comma, which nobody's host has.
 */
function tierName(host: HostPattern, { protocol, shownPort }: Entrance): string {
  if (host.kind !== 'exact') return `,${hostText(host)}`
  const isUsual = (protocol === 'HTTP' || protocol === 'TLS') && usualPorts[protocol] === shownPort
  return isUsual ? host.name : `${host.name}:${shownPort}`
}

/**
 * Keys are tier and path together. What is looked up ends with `/?`, which no path has: a prefix ends with the slash, hence whole elements
 * match, and an exact path with both, hence nothing longer does.
 */
function addRoutes({ rules }: HostTier, name: string, tier: string, hits: Hits, routes: Map<string, string>) {
  const regexes = rules.filter(({ path }) => path.kind === 'regex')
  const byPath = Map.groupBy(rules, ({ path }) => `${path.kind} ${path.value}`)
  const prefixes = (path: string): HttpRule[] => prefixesOf(path).flatMap((one) => byPath.get(`prefix ${one}`) ?? [])
  for (const [key, own] of byPath) {
    const { kind, value } = own[0]!.path
    if (kind === 'regex') continue
    const candidates = kind === 'exact' ? [...own, ...regexes, ...prefixes(value)] : [...regexes, ...prefixes(value)]
    const hit = hits.firstOf(candidates, `${key.split(' ', 1)[0]}:${tier}${value}`)
    routes.set(`${name}${value}/${kind === 'exact' ? '?' : ''}`, hit)
  }
  // A regular expression may match where nothing else does.
  if (regexes.length > 0 && !byPath.has('prefix ')) routes.set(`${name}/`, hits.firstOf(regexes, `regex:${tier}`))
}

/** The prefixes by elements that a path begins with, the longest first. */
function prefixesOf(path: string): string[] {
  const found = [path]
  for (let slash = path.lastIndexOf('/'); slash >= 0; slash = slash === 0 ? -1 : path.lastIndexOf('/', slash - 1))
    found.push(path.slice(0, slash))
  return found
}
