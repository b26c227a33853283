import type { Line, Section } from '../haproxy/index.ts'
import { answering } from './lower-maps.ts'
import { authorityPath, binds, innerSocket, isMixed, lookUp, type Paths, type Place, words } from './lower-words.ts'
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
      ...requestId,
      ...forwarded(scheme, shownPort),
      ...readHost,
      ...(protocol === 'TLS' ? refuseMisdirected(entrance, paths) : []),
      ...routing(entrance, paths),
      ...errors,
      lastAnswer,
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
    ...(clientValidation === undefined
      ? []
      : [
          'ca-file',
          authorityPath(directory, clientValidation.authority),
          'verify',
          ...(clientValidation.mode === 'required'
            ? ['required']
            : words('optional crt-ignore-err all ca-ignore-err all')),
        ]),
  ]
}

/** A request keeps the id that it came with, when that is one. */
const requestId: readonly Line[] = [
  [
    'http-request',
    'set-var(txn.id)',
    'req.hdr(x-request-id)',
    ...words('if { req.hdr(x-request-id) -m reg ^[\\w.:-]{1,128}$ }'),
  ],
  ['http-request', 'set-var(txn.id)', 'uuid', ...words('if !{ var(txn.id) -m found }')],
  ['http-request', 'set-header', 'x-request-id', '%[var(txn.id)]'],
]

/** What the client says of earlier hops is not believed. */
function forwarded(scheme: string, port: number): Line[] {
  return [
    ['http-request', 'set-header', 'x-forwarded-for', '%[src]'],
    ['http-request', 'set-header', 'x-forwarded-proto', scheme],
    ['http-request', 'set-header', 'x-forwarded-port', String(port)],
    ['http-request', 'set-header', 'x-forwarded-host', '%[req.hdr(host)]', ...words('if { req.hdr(host) -m found }')],
    ['http-request', 'del-header', 'forwarded'],
  ]
}

function refuse(status: number, error: string, details: string, condition: string): Line {
  return [
    ...words(`http-request return status ${status} hdr proxy-status`),
    `plumb; error=${error}; details="${details}"`,
    ...words(condition),
  ]
}

const readHost: readonly Line[] = [
  ['http-request', 'set-var(txn.host)', 'req.hdr(host),lower,regsub(:[0-9]*$,,),rtrim(.)'],
  // A slash in a host would be taken for the beginning of the path, a bar for the end of the host.
  refuse(
    400,
    'http_request_error',
    'no such host can be',
    'if { var(txn.host) -m found } !{ var(txn.host) -m reg ^[a-z0-9._:-]*$|^\\[[0-9a-f:.]*\\]$ }',
  ),
  ['http-request', 'set-var(txn.path)', 'path'],
  // What a server makes of it is not what the routes were asked about.
  refuse(400, 'http_request_error', 'dot segments in the path', 'if { var(txn.path) -m reg -i /(\\.|%2e){1,2}(/|$) }'),
]

/** A host that belongs to another listener than the name of the connection is not served on it (RFC 9110, 15.5.20). */
function refuseMisdirected(entrance: Entrance, { names, nameSuffixes }: Paths): Line[] {
  const maps = { exact: names, suffixes: nameSuffixes }
  const crossed = words('if { var(txn.crossed) -m bool }')
  return [
    ['http-request', 'set-var(txn.sni)', 'ssl_fc_sni,lower,rtrim(.)'],
    ['http-request', 'set-var(txn.crossed)', 'bool(true)', ...words('if !{ var(txn.sni),strcmp(txn.host) eq 0 }')],
    ...lookUp('http-request', 'txn.name', 'var(txn.host)', entrance, maps, crossed),
    ...lookUp('http-request', 'txn.sni_name', 'var(txn.sni)', entrance, maps, crossed),
    refuse(
      421,
      'http_request_denied',
      'host is no name of this connection',
      'if { var(txn.crossed) -m bool } !{ var(txn.name),strcmp(txn.sni_name) eq 0 }',
    ),
  ]
}

/** The tier of the host, and in it the exact path, then the longest prefix; then the next tier. What is found ends the search. */
function routing(entrance: Entrance, paths: Paths): Line[] {
  const { hosts, suffixes, parents, exact, prefix, weights, shares } = paths
  const unless = words('if !{ var(txn.hit) -m found }')
  const shared = words('if { var(txn.hit) -m beg % }')
  const search: Line[] = [
    ['http-request', 'set-var(txn.hit)', `var(txn.tier),concat(,txn.path),map_str(${exact})`],
    ['http-request', 'set-var(txn.hit)', `var(txn.tier),concat(,txn.path,/),map_beg(${prefix})`, ...unless],
    ['http-request', 'lua.choose', ...words('if { var(txn.hit) -m beg ? }')],
    ['http-request', 'set-var(txn.total)', `var(txn.hit),map_str_int(${weights})`, ...shared],
    ['http-request', 'set-var(txn.share)', 'rand,mod(txn.total)', ...shared],
    ['http-request', 'set-var(txn.hit)', `var(txn.hit),concat(|,txn.share),map_str(${shares})`, ...shared],
    ['http-request', 'allow', ...words('if { var(txn.hit) -m found }')],
  ]
  const next: Line = ['http-request', 'set-var(txn.tier)', `var(txn.tier),map_str(${parents},-)`]
  return [
    ...lookUp('http-request', 'txn.tier', 'var(txn.host)', entrance, { exact: hosts, suffixes }),
    ...Array.from({ length: mostTiers }, (_, at) => (at === 0 ? search : [next, ...search])).flat(),
    ['use_backend', '%[var(txn.hit),field(2,|)]', ...words('if { var(txn.hit) -m found }')],
    ['default_backend', answering.unrouted],
  ]
}

/** A worker that was replaced tells clients that the answer is the connection's last, hence they ask the new one next. */
const lastAnswer: Line = words('http-after-response set-header connection close if { stopping }')

/** Says who made an error: rules for answers of servers do not run for those that the gateway makes (RFC 9209). */
export const errors: readonly Line[] = [
  ['http-response', 'set-var(txn.answered)', 'bool(true)'],
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
  [
    ...words('http-after-response set-header x-request-id %[var(txn.id)]'),
    ...words('if { status ge 400 } !{ var(txn.answered) -m bool }'),
  ],
]
