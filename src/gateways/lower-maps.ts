import { createHash } from 'node:crypto'
import { isMapKey } from '../haproxy/index.ts'
import { encode } from './encode.ts'
import { type HostPattern, hostText, moreSpecific } from './host.ts'
import { renderAction } from './lower-actions.ts'
import { type Paths, routesPath } from './lower-words.ts'
import type { Entrance, GatewayModel, HostTier, HttpAction, HttpRule, ValueMatch, WeightedTarget } from './model.ts'
import { perObject } from './remember.ts'

export type Entries = ReadonlyMap<string, string>

/** The names of the backends that answer themselves. */
export const answering = { broken: 'broken', unrouted: 'unrouted', filters: 'filters', closed: 'closed' } as const

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
  const lead = { groups: new Map(), regexes: new Map(), actions: new Map(), weights: new Map(), shares: new Map() }
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
      value: string,
    ) => {
      if (!isMapKey(keyOf(host))) return
      if (host.kind === 'suffix') ends.push([host, `.${host.name}|${entrance.id}`, value])
      else into.set(keyOf(host), value)
    }
    const own = new Map<string, string>()
    for (const tier of entrance.tiers) {
      const name = tierName(tier.host, entrance)
      put(hosts, suffixes, tier.host, name)
      if (tier.parent !== undefined) parents.set(`${name}|${entrance.id}`, tierName(tier.parent, entrance))
      const lowered = loweredTier(tier, name, keyOf(tier.host))
      merge(own, lowered.routes)
      mergeHits(lead, lowered.hits)
    }
    if (entrance.protocol !== 'TCP') routes.push([routesPath(directory, entrance), own])
    if (entrance.protocol === 'TLS')
      for (const listener of entrance.listeners)
        put(names, nameSuffixes, listener.host, `${listener.mode}|${listener.id}`)
    for (const { host, action } of entrance.streams)
      put(streams, streamSuffixes, host, hits.of({ ...action, filters: [] }, answering.closed))
  }
  mergeHits(lead, hits)
  for (const { id, users } of userLists)
    for (const [name, hash] of users) lead.actions.set(`${id}:${encode(name)}`, encode(hash))
  return new Map<string, Entries>([
    [paths.hosts, hosts],
    [paths.suffixes, longestFirst(suffixes)],
    [paths.parents, parents],
    ...routes,
    [paths.groups, lead.groups],
    [paths.regexes, lead.regexes],
    [paths.actions, lead.actions],
    [paths.weights, lead.weights],
    [paths.shares, lead.shares],
    [paths.names, names],
    [paths.nameSuffixes, longestFirst(nameSuffixes)],
    [paths.streams, streams],
    [paths.streamSuffixes, longestFirst(streamSuffixes)],
  ])
}

type Lead = Pick<Hits, 'groups' | 'regexes' | 'actions' | 'weights' | 'shares'>

function mergeHits(into: Lead, from: Lead): void {
  for (const name of ['groups', 'regexes', 'actions', 'weights', 'shares'] as const) merge(into[name], from[name])
}

function merge(into: Map<string, string>, from: Entries): void {
  for (const [key, value] of from) if (isMapKey(key)) into.set(key, value)
}

interface LoweredTier {
  readonly routes: Entries
  readonly hits: Lead
}

/** By name and key: a tier may be one of several entrances. */
const tiersOf = perObject((_: HostTier) => new Map<string, LoweredTier>())

/** A tier that is the same is lowered once. */
function loweredTier(tier: HostTier, name: string, key: string): LoweredTier {
  const known = tiersOf(tier)
  const found = known.get(`${name} ${key}`)
  if (found !== undefined) return found
  const hits = new Hits()
  const routes = new Map<string, string>()
  lowerTier(tier, name, key, hits, routes)
  const lowered = { routes, hits }
  known.set(`${name} ${key}`, lowered)
  return lowered
}

/** Of suffixes HAProxy takes the first that fits. */
function longestFirst(entries: [HostPattern, string, string][]): Entries {
  return new Map(entries.sort(([a], [b]) => moreSpecific(a, b)).map(([, key, value]) => [key, value]))
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
function lowerTier({ rules }: HostTier, name: string, tier: string, hits: Hits, routes: Map<string, string>) {
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

/** What hits lead on to, each once. */
class Hits {
  readonly groups = new Map<string, string>()
  readonly regexes = new Map<string, string>()
  readonly actions = new Map<string, string>()
  readonly weights = new Map<string, string>()
  readonly shares = new Map<string, string>()
  readonly #known = new Map<HttpAction, string>()

  /** The first of the rules whose conditions hold. */
  firstOf(rules: readonly HttpRule[], key: string): string {
    const reached: string[] = []
    for (const rule of rules) {
      const conditions = this.#conditionsOf(rule)
      const hit = this.of(rule.action)
      if (conditions.length === 0 && reached.length === 0) return hit
      reached.push(`${conditions.join(';')}>${hit}`)
      if (conditions.length === 0) break
    }
    this.groups.set(encode(key), reached.join(' '))
    return `?${encode(key)}`
  }

  /** `broken` answers for what cannot be. */
  of(action: HttpAction, broken: string = answering.broken): string {
    const known = this.#known.get(action)
    if (known !== undefined) return known
    const hits = action.targets.map((target, at) =>
      this.#hitOf(action, target, broken, action.targets.length > 1 ? `.${at}` : ''),
    )
    const hit = hits.length === 0 ? this.#answered(action) : hits.length === 1 ? hits[0]! : this.#shared(action, hits)
    this.#known.set(action, hit)
    return hit
  }

  /** No backend is asked: either a filter answers, or nobody can. */
  #answered(action: HttpAction): string {
    const backend = action.filters.length > 0 ? answering.filters : answering.closed
    return this.#hitOf(action, { weight: 1, target: { kind: 'backend', id: backend }, filters: [] }, backend, '')
  }

  #hitOf(action: HttpAction, { target, filters }: WeightedTarget, broken: string, suffix: string): string {
    const backend = target.kind === 'backend' ? target.id : broken
    const all = [...action.filters, ...filters]
    if (all.length === 0 && action.timeoutMs === undefined) return `=|${backend}|${action.id}`
    const id = encode(`${action.id}${suffix}`)
    this.actions.set(id, renderAction(all, action.timeoutMs))
    const sign = all.some(({ kind }) => kind === 'mirror') ? '*' : '+'
    return `${sign}|${backend}|${action.id}|${id}`
  }

  /** Weights become numbered shares, of which a random one is drawn. */
  #shared({ id, targets }: HttpAction, hits: readonly string[]): string {
    const shares = sharesOf(targets.map(({ weight }) => weight))
    const key = encode(id)
    this.weights.set(`%${key}`, String(shares.length))
    for (const [at, target] of shares.entries()) this.shares.set(`%${key}|${at}`, hits[target]!)
    return `%${key}`
  }

  #conditionsOf({ path, method, headers, query }: HttpRule): string[] {
    const value = (kind: string, { name, kind: how, value: text }: ValueMatch): string =>
      how === 'exact'
        ? `${kind}:${encode(name)}:${encode(text)}`
        : `${kind.toUpperCase()}:${encode(name)}:${this.#regex(text)}`
    return [
      ...(path.kind === 'regex' ? [`p:${this.#regex(path.value)}`] : []),
      ...(method === undefined ? [] : [`m:${encode(method)}`]),
      ...headers.map((match) => value('h', match)),
      ...query.map((match) => value('q', match)),
    ]
  }

  /** Regular expressions share a map: what is compared begins with the id of the one that is meant. */
  #regex(text: string): string {
    const id = createHash('sha256').update(text).digest('hex').slice(0, 12)
    this.regexes.set(`^${id}:(?:${text.replaceAll(' ', '\\x20').replaceAll('\t', '\\t')})$`, '1')
    return id
  }
}

const mostShares = 1000

/** Indexes of the weights, each as often as its share; exact up to 1,000 shares, at least one for each beyond. */
export function sharesOf(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1
  const total = weights.reduce((sum, weight) => sum + weight, 0) / divisor
  const scale = total > mostShares ? mostShares / total : 1
  return weights.flatMap((weight, at) => {
    const count = weight === 0 ? 0 : Math.max(1, Math.round((weight / divisor) * scale))
    return Array.from({ length: count }, () => at)
  })
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
