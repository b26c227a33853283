import type { Line, Section } from '../haproxy/index.ts'
import { answerId, capture, forwarded, host, longestHost, readConnection, requestId } from './lower-head.ts'
import { limitLines } from './lower-limits.ts'
import { requestFormat } from './lower-log.ts'
import {
  answering,
  authorityPath,
  binds,
  expectProxy,
  innerSocket,
  isMixed,
  lookUp,
  type Paths,
  type Place,
  readSni,
  routesPath,
  words,
} from './lower-words.ts'
import { type Entrance, mostTiers } from './model.ts'

/** The frontend that routes requests of an entrance; where its TLS is told apart first, it is reached through that. */
export function httpFrontend(entrance: Entrance, paths: Paths, place: Place): Section {
  const { id, protocol, shownPort, because } = entrance
  const scheme = protocol === 'TLS' ? 'https' : 'http'
  const bound = isMixed(entrance)
    ? [['bind', innerSocket(place.directory, `${id}.http`), 'accept-proxy', ...tlsWords(entrance, place)]]
    : binds(entrance.port, ...(protocol === 'TLS' ? tlsWords(entrance, place) : []))
  return {
    keyword: 'frontend',
    name: isMixed(entrance) ? `${id}.http` : id,
    comment: `${because.object} ${because.field}`,
    lines: [
      ...bound,
      ...(isMixed(entrance) ? [] : expectProxy(entrance)),
      ...(protocol === 'TLS' ? readSni : []),
      ...(isAsking(entrance) ? readListener(entrance, paths) : []),
      ...readConnection,
      requestFormat(protocol === 'TLS'),
      ...capture,
      ...requestId,
      ...forwarded(scheme, shownPort),
      ...(entrance.limits === undefined ? [] : limitLines(entrance.limits, 1)),
      refuseDots,
      ...shortWay(entrance, place),
      ...readHost,
      ...(protocol === 'TLS' ? refuseMisdirected(entrance, paths) : []),
      ...routing(entrance, paths, place),
      lastAnswer,
      ...errors,
    ],
  }
}

/** Certificates by SNI; without a listener for all names nobody else's is shown. */
export function tlsWords(entrance: Entrance, { directory }: Place, alpn = 'h2,http/1.1'): string[] {
  const { id, listeners, clientValidation } = entrance
  const isStrict = !listeners.some(({ host, mode }) => host.kind === 'any' && mode !== 'passthrough')
  return [
    'ssl',
    'crt-list',
    `${directory}/${id}.list`,
    ...(alpn === '' ? [] : ['alpn', alpn]),
    ...(isStrict ? ['strict-sni'] : []),
    ...(isAsking(entrance) ? ignoreErrors : []),
    ...(clientValidation === undefined
      ? []
      : [
          'ca-file',
          authorityPath(directory, clientValidation.authority),
          'verify',
          ...(clientValidation.mode === 'required' ? ['required'] : ['optional', ...ignoreErrors]),
        ]),
  ]
}

const ignoreErrors = words('crt-ignore-err all ca-ignore-err all')

function isAsking({ listeners }: Entrance): boolean {
  return listeners.some(({ clientAuthority }) => clientAuthority !== undefined)
}

/** By which listener a connection was made, as HAProxy chose it by the name as it came; none for a name that is none. */
function readListener(entrance: Entrance, { names, nameSuffixes }: Paths): Line[] {
  const maps = { exact: names, suffixes: nameSuffixes }
  const isName = words('if !{ var(sess.asked) -m found } || { var(sess.asked) -m reg ^[a-z0-9_-]+(\\.[a-z0-9_-]+)*$ }')
  return [
    words('tcp-request session set-var(sess.asked) ssl_fc_sni,lower'),
    ['tcp-request', 'session', 'set-var(sess.known)', 'bool(true)', ...isName],
    ...lookUp(
      'tcp-request session',
      'sess.listener',
      'var(sess.asked)',
      entrance,
      maps,
      words('if { var(sess.known) -m bool }'),
    ),
  ]
}

function refuse(status: number, error: string, details: string, condition: string): Line {
  return [
    ...words(`http-request return status ${status} hdr proxy-status`),
    `plumb; error=${error}; details="${details}"`,
    ...words(condition),
  ]
}

/** What servers take for one: some decode a path before they look at it, some know backslashes and parameters of segments. */
const slash = '(/|\\\\|%2f|%5c)'

/** What a server makes of it is not what the routes were asked about. Regular expressions cost: most paths have neither a dot nor a percent sign. */
const refuseDots: Line = refuse(
  400,
  'http_request_error',
  'dot segments in the path',
  `if { path,field(2,.%) -m found } { path -m reg -i ${slash}(\\.|%2e){1,2}(${slash}|;|%3b|$) }`,
)

/**
 * The way of most requests: host and path, as they come, are those of a route without conditions, and TLS is for that very host.
 * A host with a slash would be taken for the beginning of the path, one with a comma for the name of another tier.
 */
function shortWay(entrance: Entrance, { directory }: Place): Line[] {
  const own =
    entrance.protocol === 'TLS' ? `{ ${host},host_only,strcmp(sess.name) eq 0 }` : `!{ ${host},field(2,"/,") -m found }`
  const key = 'base,concat(/?)'
  return [
    ['http-request', 'set-var(txn.hit)', `${key},map_beg(${routesPath(directory, entrance)})`, ...words(`if ${own}`)],
    ['http-request', 'allow', ...words('if { var(txn.hit) -m beg = }')],
  ]
}

const readHost: readonly Line[] = [
  ['http-request', 'set-var(txn.host)', 'req.fhdr(host),lower,regsub(:[0-9]*$,,),rtrim(.)'],
  // A bar in a host would be taken for its end.
  refuse(
    400,
    'http_request_error',
    'no such host can be',
    `if { var(txn.host) -m found } !{ var(txn.host) -m reg ^[a-z0-9._:-]*$|^\\[[0-9a-f:.]*\\]$ } or { ${host},length gt ${longestHost} }`,
  ),
  ['http-request', 'set-var(txn.path)', 'path'],
]

/** A host that belongs to another listener than the name of the connection is not served on it (RFC 9110, 15.5.20). */
function refuseMisdirected(entrance: Entrance, { names, nameSuffixes }: Paths): Line[] {
  const maps = { exact: names, suffixes: nameSuffixes }
  const crossed = words('if { var(txn.crossed) -m bool }')
  return [
    ['http-request', 'set-var(txn.crossed)', 'bool(true)', ...words('if !{ var(sess.sni),strcmp(txn.host) eq 0 }')],
    ...lookUp('http-request', 'txn.name', 'var(txn.host)', entrance, maps, crossed),
    ...lookUp('http-request', 'txn.sni_name', 'var(sess.sni)', entrance, maps, crossed),
    refuse(
      421,
      'http_request_denied',
      'host is no name of this connection',
      'if { var(txn.crossed) -m bool } !{ var(txn.name),strcmp(txn.sni_name) eq 0 }',
    ),
  ]
}

/** The tier of the host, and in it the exact path or the longest prefix; then the next tier. What is found ends the search. */
function routing(entrance: Entrance, paths: Paths, { directory }: Place): Line[] {
  const { hosts, suffixes, parents, weights, shares } = paths
  const routes = routesPath(directory, entrance)
  const shared = words('if { var(txn.hit) -m beg % }')
  const search: Line[] = [
    ['http-request', 'set-var(txn.hit)', `var(txn.tier),concat(,txn.path,/?),map_beg(${routes})`],
    ['http-request', 'lua.choose', ...words('if { var(txn.hit) -m beg ? }')],
    ['http-request', 'set-var(txn.total)', `var(txn.hit),map_str_int(${weights})`, ...shared],
    ['http-request', 'set-var(txn.share)', 'rand,mod(txn.total)', ...shared],
    ['http-request', 'set-var(txn.hit)', `var(txn.hit),concat(|,txn.share),map_str(${shares})`, ...shared],
    ['http-request', 'allow', ...words('if { var(txn.hit) -m found }')],
  ]
  const next: Line = [
    'http-request',
    'set-var(txn.tier)',
    `var(txn.tier),concat(|${entrance.id}),map_str(${parents},-)`,
  ]
  return [
    ...lookUp('http-request', 'txn.tier', 'var(txn.host)', entrance, { exact: hosts, suffixes }),
    ...Array.from({ length: mostTiers }, (_, at) => (at === 0 ? search : [next, ...search])).flat(),
    // Where nothing was found no backend is called so, and the default has it.
    ['use_backend', '%[var(txn.hit),field(2,|)]'],
    ['default_backend', answering.unrouted],
  ]
}

/** A worker that was replaced tells clients that the answer is the connection's last, hence they ask the new one next. */
const lastAnswer: Line = words('http-after-response set-header connection close if { stopping }')

/** Says who made an error: rules for answers of servers do not run for those that the gateway makes (RFC 9209). */
export const errors: readonly Line[] = [
  ['http-response', 'set-var(txn.answered)', 'bool(true)', ...words('if { status ge 400 }')],
  words('http-after-response allow if { status lt 400 }'),
  ...Object.entries({
    '502': 'connection_terminated',
    '503': 'destination_unavailable',
    '504': 'http_response_timeout',
    '400:499': 'http_request_error',
    '500:599': 'proxy_internal_error',
  }).map(
    ([status, error]): Line => [
      ...words('http-after-response set-header proxy-status'),
      `plumb; error=${error}`,
      ...words(`if { status ${status} } !{ var(txn.answered) -m bool } !{ res.hdr(proxy-status) -m found }`),
    ],
  ),
  ...answerId(words('if { status ge 400 } !{ var(txn.answered) -m bool }')),
  words('http-after-response set-var(txn.reason) res.hdr(proxy-status) if !{ var(txn.answered) -m bool }'),
]
