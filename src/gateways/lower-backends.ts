import { familyOf } from '../addr/index.ts'
import type { Line, Section, Server } from '../haproxy/index.ts'
import { balanceLines } from './lower-balance.ts'
import { bodyLines, limitLines } from './lower-limits.ts'
import { answering, authorityPath, certificatePath, type Place, words } from './lower-words.ts'
import type { BackendModel, ServerModel } from './model.ts'
import { originPath } from './tls-origin.ts'

const acted = words('if { var(txn.hit) -m beg + * }')
/** Most requests meet no filter; where there is nothing else either, no more is looked at. */
const mostly: Line = words('http-request allow if { var(txn.hit) -m beg = }')
/** What is not idempotent is never sent twice unasked (RFC 9110, 9.2.2). */
const spareOthers: Line = words('http-request disable-l7-retry if !{ method GET HEAD OPTIONS TRACE PUT DELETE }')
const act: readonly Line[] = [
  // The mirror wants the body as well.
  ['http-request', 'wait-for-body', 'time', '5s', ...words('if { var(txn.hit) -m beg * }')],
  ['http-request', 'lua.act', ...acted],
  ['http-request', 'set-timeout', 'server', 'var(txn.timeout)', ...words('if { var(txn.timeout) -m found }')],
  ['http-response', 'lua.reply', ...acted],
]

/** The backends that answer themselves. */
export function answeringBackends(): Section[] {
  return [
    { keyword: 'backend', name: answering.closed, lines: [['mode', 'tcp']] },
    { keyword: 'backend', name: answering.filters, lines: [...act] },
    answers(answering.broken, 500, 'proxy_configuration_error', 'The route names a backend that does not exist.'),
    answers(answering.unrouted, 404, 'destination_not_found', 'No route is for this host and path.'),
  ]
}

function answers(name: string, status: number, error: string, text: string): Section {
  const head = words(`http-request return status ${status} content-type text/plain string`)
  const isActed = name === answering.broken ? act.slice(1, 2) : []
  return {
    keyword: 'backend',
    name,
    lines: [...isActed, [...head, text, 'hdr', 'proxy-status', `plumb; error=${error}`]],
  }
}

export function lowerBackend(backend: BackendModel): Section {
  const { id, protocol, retry, persistence, tls, because, connectTimeoutMs, limits, mostBodyBytes } = backend
  const comment = `${because.object} ${because.field}`
  const balance = balanceLines(backend.balance)
  if (protocol === 'tcp') return { keyword: 'backend', name: id, comment, lines: [['mode', 'tcp'], ...balance] }
  const isHttp2 = protocol === 'h2c'
  return {
    keyword: 'backend',
    name: id,
    comment,
    lines: [
      ...balance,
      ...(connectTimeoutMs === undefined ? [] : [['timeout', 'connect', `${connectTimeoutMs}ms`]]),
      ...(limits === undefined ? [] : limitLines(limits, 0)),
      ...(mostBodyBytes === undefined ? [] : bodyLines(mostBodyBytes)),
      ...(retry === undefined ? [spareOthers] : []),
      ...(retry?.sparesPost ? [words('http-request disable-l7-retry if METH_POST')] : []),
      ...(isHttp2 || persistence !== undefined ? [] : [mostly]),
      ...act,
      // A request of HTTP/1 has no authority otherwise.
      ...(isHttp2 ? [['http-request', 'set-uri', `${tls ? 'https' : 'http'}://%[req.hdr(host)]%[pathq]`]] : []),
      ...(retry === undefined ? [] : retryLines(retry)),
      ...(persistence === undefined ? [] : persistenceLines(persistence)),
    ],
  }
}

function retryLines({ attempts, codes }: NonNullable<BackendModel['retry']>): Line[] {
  return [
    ['retries', String(attempts)],
    ['retry-on', ...words('conn-failure empty-response response-timeout'), ...codes.map(String)],
    ['option', 'redispatch', '1'],
  ]
}

/** The client names the server, which is there as long as its pod is; another one is chosen where it is not. */
function persistenceLines(persistence: NonNullable<BackendModel['persistence']>): Line[] {
  const { kind, name } = persistence
  const asked = kind === 'cookie' ? `req.cook(${name})` : `req.hdr(${name})`
  const known = words(`if { ${asked} -m reg ^[0-9a-f.:]+-[0-9]+$ }`)
  const answered = kind === 'cookie' ? `${name}=%s; ${cookieAttributes(persistence)}` : '%s'
  return [
    ['http-request', 'set-var(txn.session)', asked, ...known],
    ['use-server', '%[var(txn.session)]', ...words('if { var(txn.session) -m found }')],
    [
      'http-response',
      'add-header',
      kind === 'cookie' ? 'set-cookie' : name,
      answered,
      ...words('if !{ var(txn.session) -m found }'),
    ],
  ]
}

function cookieAttributes({
  path = '/',
  domain,
  sameSite = 'Lax',
  isSecure,
  maxAgeSeconds,
}: NonNullable<BackendModel['persistence']>): string {
  return [
    `Path=${path}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(isSecure ? ['Secure'] : []),
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
  ].join('; ')
}

export function lowerServer(server: ServerModel, backend: BackendModel, place: Place): Server {
  const { proxyProtocol } = backend
  const lowered = spokenServer(server, backend, place)
  if (proxyProtocol === undefined) return lowered
  return { ...lowered, options: [...lowered.options, proxyProtocol === 'v1' ? 'send-proxy' : 'send-proxy-v2'] }
}

/** The name is the address, so that the same pod is the same server in every configuration. */
function spokenServer(server: ServerModel, backend: BackendModel, place: Place): Server {
  const { address, port } = server
  const { protocol, tls } = backend
  const text = familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
  const spoken = protocol === 'h2c' ? ['proto', 'h2'] : []
  if (tls === undefined) return { name: `${address}-${port}`, address: text, options: spoken }
  const { directory } = place
  if (tls.names.length > 0)
    return { name: `${address}-${port}`, address: `unix@${originPath(directory, backend, server)}`, options: spoken }
  const alpn = protocol === 'h2c' ? 'h2' : 'http/1.1'
  const shown = tls.clientCertificate === undefined ? [] : ['crt', certificatePath(directory, tls.clientCertificate)]
  if (tls.authority === 'unchecked') {
    const named = tls.host === '' ? [] : ['sni', `str(${tls.host})`]
    return {
      name: `${address}-${port}`,
      address: text,
      options: ['ssl', 'verify', 'none', 'alpn', alpn, ...named, ...shown],
    }
  }
  const authority = tls.authority === 'system' ? '@system-ca' : authorityPath(directory, tls.authority)
  const options = ['ssl', 'verify', 'required', 'ca-file', authority, 'sni', `str(${tls.host})`, 'alpn', alpn, ...shown]
  return { name: `${address}-${port}`, address: text, options }
}
