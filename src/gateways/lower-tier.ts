import { isMapKey } from '../haproxy/index.ts'
import { type HostPattern, hostText } from './host.ts'
import { Hits } from './lower-hits.ts'
import type { Entrance, HostTier, HttpRule } from './model.ts'
import { perObject } from './remember.ts'

/** The entries of a tier at an entrance. */
export interface LoweredTier {
  /** What its routes begin with. */
  readonly name: string
  /** What the hosts that it is for are looked up by: `HOST|ENTRANCE`. */
  readonly key: string
  /** Where the search goes on; key and value. */
  readonly parent: readonly [string, string] | undefined
  readonly routes: ReadonlyMap<string, string>
  readonly hits: Hits
  readonly port: number
  readonly protocol: Entrance['protocol']
}

/** By entrance: a tier may be one of several. */
const tiersOf = perObject((_: HostTier) => new Map<string, LoweredTier>())

/** A tier that is the same is lowered once. */
export function lowerTier(tier: HostTier, entrance: Entrance): LoweredTier {
  const known = tiersOf(tier)
  const found = known.get(entrance.id)
  if (found !== undefined && found.port === entrance.shownPort && found.protocol === entrance.protocol) return found
  const made = lowerAnew(tier, entrance)
  known.set(entrance.id, made)
  return made
}

function lowerAnew(tier: HostTier, entrance: Entrance): LoweredTier {
  const name = tierName(tier.host, entrance)
  const key = `${hostText(tier.host)}|${entrance.id}`
  const hits = new Hits()
  const routes = new Map<string, string>()
  addRoutes(tier, name, key, hits, routes)
  for (const entry of routes.keys()) if (!isMapKey(entry)) routes.delete(entry)
  const parent = tier.parent && ([`${name}|${entrance.id}`, tierName(tier.parent, entrance)] as const)
  return { name, key, parent, routes, hits, port: entrance.shownPort, protocol: entrance.protocol }
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
