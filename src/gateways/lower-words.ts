import { createHash } from 'node:crypto'
import type { Line } from '../haproxy/index.ts'
import type { Entrance } from './model.ts'

/** The names of the backends that answer themselves. */
export const answering = { broken: 'broken', unrouted: 'unrouted', filters: 'filters', closed: 'closed' } as const

/** Where the gateway of a node lives. */
export interface Place {
  /** Absolute; the configuration names its files by it. */
  readonly directory: string
  /** PEM of the certificate for names that nobody has one for. */
  readonly defaultCertificate: string
  /** What OCSP responders said until before then is shown to nobody any more. */
  readonly nowMs: number
}

/** The names of all maps in the order in which a request looks them up, with those of the routes of entrances. */
export function mapNames(routes: readonly string[]): string[] {
  return [
    ...['names', 'name-suffixes', 'hosts', 'suffixes', 'parents', ...routes, 'streams', 'stream-suffixes'],
    ...['groups', 'regexes', 'actions', 'weights', 'shares'],
  ]
}

export function mapPath(directory: string, name: string): string {
  return `${directory}/${name}.map`
}

/** The files of a gateway. Maps that the router (Lua) reads are known to it by the same paths. */
export function pathsIn(directory: string) {
  const map = (name: string): string => mapPath(directory, name)
  return {
    hosts: map('hosts'),
    suffixes: map('suffixes'),
    parents: map('parents'),
    groups: map('groups'),
    regexes: map('regexes'),
    actions: map('actions'),
    weights: map('weights'),
    shares: map('shares'),
    names: map('names'),
    nameSuffixes: map('name-suffixes'),
    streams: map('streams'),
    streamSuffixes: map('stream-suffixes'),
    router: `${directory}/router.lua`,
    runtime: `${directory}/runtime.sock`,
    flows: `${directory}/flows.sock`,
  }
}

/** Whether the order of a map's entries matters: of suffixes HAProxy takes the first that fits. */
export function isOrdered(name: string): boolean {
  return name.endsWith('suffixes')
}

/** The map of an entrance's routes. */
export function routesMap({ id }: Pick<Entrance, 'id'>): string {
  return `${id}.routes`
}

export function routesPath(directory: string, entrance: Pick<Entrance, 'id'>): string {
  return mapPath(directory, routesMap(entrance))
}

export type Paths = ReturnType<typeof pathsIn>

/** A socket inside HAProxy, from one of its frontends to another; abstract, hence gone with its network namespace. */
export function innerSocket(directory: string, name: string): string {
  const hash = createHash('sha256').update(`${directory} ${name}`).digest('hex').slice(0, 16)
  return `abns@plumb-${hash}`
}

export function certificatePath(directory: string, id: string): string {
  return `${directory}/${id}.pem`
}

export function authorityPath(directory: string, id: string): string {
  return `${directory}/${id}.ca`
}

export function binds(port: number, ...more: string[]): Line[] {
  return [
    ['bind', `0.0.0.0:${port}`, ...more],
    ['bind', `:::${port}`, 'v6only', ...more],
  ]
}

/** A connection of a trusted source begins with a header of the PROXY protocol, or is closed. */
export function expectProxy({ trustedProxies = [] }: Entrance): Line[] {
  if (trustedProxies.length === 0) return []
  return [['tcp-request', 'connection', 'expect-proxy', 'layer4', 'if', '{', 'src', ...trustedProxies, '}']]
}

/** The words of a line that needs no quotes. */
export function words(text: string): string[] {
  return text.split(' ')
}

/** The name that a connection is for, read once for all its requests; `sess.name` only where it is one, `sess.told_sni` as the log tells it. */
export const readSni: readonly Line[] = [
  words('tcp-request session set-var(sess.sni) ssl_fc_sni,lower,rtrim(.)'),
  words('tcp-request session set-var(sess.told_sni) var(sess.sni),url_enc'),
  words('tcp-request session set-var(sess.name) var(sess.sni) if { var(sess.sni) -m reg ^[a-z0-9._-]+$ }'),
]

/** Whether TLS of an entrance is told apart by SNI before it is ended: some of it stays, or ends as bytes. */
export function isMixed({ protocol, listeners }: Entrance): boolean {
  return protocol === 'TLS' && listeners.some(({ mode }) => mode !== 'http')
}

/**
 * Looks a name up: itself, then the wildcards that mean it, then the entrance's `*`. Sets `to`, to `-` when nothing is found.
 * Keys end with the entrance, so that suffixes can be compared.
 */
export function lookUp(
  rule: 'http-request' | 'tcp-request content' | 'tcp-request session',
  to: string,
  name: string,
  { id, star }: Pick<Entrance, 'id' | 'star'>,
  maps: { readonly exact: string; readonly suffixes: string },
  condition: readonly string[] = [],
): Line[] {
  const head = words(rule)
  const unless = [...(condition.length > 0 ? condition : ['if']), ...words(`!{ var(${to}) -m found }`)]
  const wild =
    star === 'suffix'
      ? `${name},concat(|${id}),map_end(${maps.suffixes})`
      : `${name},regsub(^[^.]+,*),concat(|${id}),map_str(${maps.exact})`
  return [
    [...head, `set-var(${to})`, `${name},concat(|${id}),map_str(${maps.exact})`, ...condition],
    [...head, `set-var(${to})`, wild, ...unless],
    [...head, `set-var(${to})`, `str(*|${id}),map_str(${maps.exact},-)`, ...unless],
  ]
}
