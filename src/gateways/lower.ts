import { familyOf } from '../addr/index.ts'
import { isMapKey, type Line, renderConfig, renderMap, type Section, type Server } from '../haproxy/index.ts'
import { type BackendModel, type GatewayModel, hostText, type ServerModel } from './model.ts'

/** Where the gateway of a node lives and listens. */
export interface Place {
  /** Absolute; the configuration names its files by it. */
  readonly directory: string
  readonly httpPort: number
  readonly httpsPort: number
  /** PEM of the certificate for names that nobody has one for. */
  readonly defaultCertificate: string
}

/** A gateway in HAProxy's words. What is only in the structure needs a reload, the rest can change while it runs. */
export interface LoweredGateway {
  readonly sections: readonly Section[]
  /** By path. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly servers: ReadonlyMap<string, readonly Server[]>
  /** PEM by path. */
  readonly certificates: ReadonlyMap<string, string>
  readonly list: { readonly path: string; readonly lines: readonly string[] }
}

/** The backend of routes whose Service cannot be. */
const brokenBackend = 'broken'

export function lowerGateway(
  model: GatewayModel,
  serversOf: (backend: BackendModel) => readonly ServerModel[],
  place: Place,
): LoweredGateway {
  const { directory } = place
  const paths = mapPaths(directory)
  const certificates = new Map([[`${directory}/default.pem`, place.defaultCertificate]])
  for (const { id, pem } of model.certificates) certificates.set(certificatePath(directory, id), pem)
  const servers = new Map(
    model.backends.map((backend) => [backend.id, serversOf(backend).map((server) => lowerServer(server, backend))]),
  )
  return {
    sections: [
      ...frame(directory),
      ...frontends(paths, place),
      answering(brokenBackend, '500', 'The route names a backend that does not exist.'),
      answering('unrouted', '404', 'No route is for this host and path.'),
      ...model.backends.map(lowerBackend),
    ],
    maps: new Map<string, ReadonlyMap<string, string>>([
      [paths.exact, routeMap(model, 'exact')],
      [paths.prefix, routeMap(model, 'prefix')],
      [paths.tls, new Map(model.tlsHosts.map(({ host, certificate }) => [hostText(host), certificate]))],
    ]),
    servers,
    certificates,
    list: { path: `${directory}/certificates.list`, lines: listLines(model, directory) },
  }
}

/** The files of a gateway by path, to begin with or to reload from: what it would have been told at run time included. */
export function renderFiles(lowered: LoweredGateway, directory: string): ReadonlyMap<string, string> {
  const sections = lowered.sections.map((section) => {
    const servers = section.keyword === 'backend' ? lowered.servers.get(section.name ?? '') : undefined
    if (servers === undefined) return section
    const lines = servers.map(({ name, address, options }): Line => ['server', name, address, ...options])
    return { ...section, lines: [...section.lines, ...lines] }
  })
  return new Map([
    ...lowered.certificates,
    ...[...lowered.maps].map(([path, entries]): [string, string] => [path, renderMap(entries)]),
    [lowered.list.path, `${[`${directory}/default.pem`, ...lowered.list.lines].join('\n')}\n`],
    [`${directory}/haproxy.cfg`, renderConfig({ sections })],
  ])
}

function mapPaths(directory: string) {
  return { exact: `${directory}/exact.map`, prefix: `${directory}/prefix.map`, tls: `${directory}/tls.map` }
}

function certificatePath(directory: string, id: string): string {
  return `${directory}/${id}.pem`
}

function listLines(model: GatewayModel, directory: string): string[] {
  return model.tlsHosts
    .filter(({ host }) => host.kind !== 'any')
    .map(({ host, certificate }) => `${certificatePath(directory, certificate)} ${hostText(host)}`)
}

/** Keys are host and path together: a prefix ends with a slash, and so does what is looked up, hence whole elements match. */
function routeMap({ routes }: GatewayModel, kind: 'exact' | 'prefix'): ReadonlyMap<string, string> {
  const entries = routes
    .filter(({ path }) => path.kind === kind)
    .map(({ host, path, target }): [string, string] => [
      `${hostText(host)}${path.value}${kind === 'prefix' ? '/' : ''}`,
      target.kind === 'backend' ? target.id : brokenBackend,
    ])
  return new Map(entries.filter(([key]) => isMapKey(key)))
}

function frame(directory: string): Section[] {
  return [
    {
      keyword: 'global',
      lines: [
        // Connections follow from it: two descriptors each. A container's limit may be a billion, for which HAProxy would make room.
        ['fd-hard-limit', '50000'],
        ['stats', 'socket', `${directory}/runtime.sock`, 'mode', '600', 'level', 'admin'],
        ['stats', 'timeout', '30s'],
        // Old workers wait this long for long connections after a reload.
        ['hard-stop-after', '1h'],
        ['ssl-default-bind-options', 'ssl-min-ver', 'TLSv1.2', 'no-tls-tickets'],
      ],
    },
    {
      keyword: 'defaults',
      lines: [
        ['mode', 'http'],
        ['timeout', 'connect', '3s'],
        ['timeout', 'client', '60s'],
        ['timeout', 'server', '60s'],
        ['timeout', 'http-request', '10s'],
        ['timeout', 'http-keep-alive', '60s'],
        ['timeout', 'tunnel', '1h'],
        ['option', 'splice-auto'],
        // Another server at once, not the same a second later; nothing was sent yet, so any request may be tried again.
        ['option', 'redispatch', '1'],
        ['retries', '3'],
        ['retry-on', 'conn-failure'],
      ],
    },
  ]
}

function frontends(paths: ReturnType<typeof mapPaths>, { directory, httpPort, httpsPort }: Place): Section[] {
  const tls = ['ssl', 'crt-list', `${directory}/certificates.list`, 'alpn', 'h2,http/1.1']
  const binds = (port: number, ...words: string[]): Line[] => [
    ['bind', `0.0.0.0:${port}`, ...words],
    ['bind', `:::${port}`, 'v6only', ...words],
  ]
  return [
    {
      keyword: 'frontend',
      name: 'http',
      lines: [...binds(httpPort), ...forwarded('http', httpPort), ...readHost, ...routing(paths), ...errors],
    },
    {
      keyword: 'frontend',
      name: 'https',
      lines: [
        ...binds(httpsPort, ...tls),
        ...forwarded('https', httpsPort),
        ...readHost,
        ...refuseMisdirected(paths),
        ...routing(paths),
        ...errors,
      ],
    },
  ]
}

/** What the client says of earlier hops is not believed. */
function forwarded(scheme: string, port: number): Line[] {
  return [
    ['http-request', 'set-header', 'x-forwarded-for', '%[src]'],
    ['http-request', 'set-header', 'x-forwarded-proto', scheme],
    ['http-request', 'set-header', 'x-forwarded-port', String(port)],
    ['http-request', 'set-header', 'x-forwarded-host', '%[req.hdr(host)]', 'if', '{ req.hdr(host) -m found }'].flatMap(
      words,
    ),
    ['http-request', 'del-header', 'forwarded'],
  ]
}

const hostOf = (fetch: string): string => `${fetch},lower,regsub(:[0-9]*$,,),rtrim(.)`
const wildcardOf = (variable: string): string => `var(${variable}),regsub(^[^.]+,*)`

const readHost: readonly Line[] = [
  ['http-request', 'set-var(txn.host)', hostOf('req.hdr(host)')],
  // A slash in a host would be taken for the beginning of the path.
  [
    'http-request',
    'return',
    'status',
    '400',
    'if',
    ...words('{ var(txn.host) -m found }'),
    ...words('!{ var(txn.host) -m reg ^[a-z0-9._:-]*$|^\\[[0-9a-f:.]*\\]$ }'),
  ],
  ['http-request', 'set-var(txn.wildcard)', wildcardOf('txn.host')],
  ['http-request', 'set-var(txn.path)', 'path'],
]

/** A host that has a certificate is served on connections that were made for that certificate only (RFC 9110, 15.5.20). */
function refuseMisdirected({ tls }: ReturnType<typeof mapPaths>): Line[] {
  const lookUp = (to: string, exact: string, wildcard: string): Line[] => [
    ['http-request', `set-var(${to})`, `var(${exact}),map_str(${tls})`],
    ['http-request', `set-var(${to})`, `var(${wildcard}),map_str(${tls})`, ...words(`if !{ var(${to}) -m found }`)],
  ]
  return [
    ['http-request', 'set-var(txn.sni)', 'ssl_fc_sni,lower,rtrim(.)'],
    ['http-request', 'set-var(txn.sni_wildcard)', wildcardOf('txn.sni')],
    ...lookUp('txn.tls', 'txn.host', 'txn.wildcard'),
    ...lookUp('txn.sni_tls', 'txn.sni', 'txn.sni_wildcard'),
    [
      ...words('http-request return status 421 hdr proxy-status'),
      'plumb; error=http_request_denied; details="host is no name of this connection"',
      ...words('if { var(txn.tls) -m found } !{ var(txn.tls),strcmp(txn.sni_tls) eq 0 }'),
    ],
  ]
}

/** The more specific host first; in a host the exact path, then the longest prefix. */
function routing({ exact, prefix }: ReturnType<typeof mapPaths>): Line[] {
  const unless = words('if !{ var(txn.to) -m found }')
  const tier = (host: string, condition: readonly string[]): Line[] => [
    ['http-request', 'set-var(txn.to)', `${host},concat(,txn.path),map_str(${exact})`, ...condition],
    ['http-request', 'set-var(txn.to)', `${host},concat(,txn.path,/),map_beg(${prefix})`, ...unless],
  ]
  return [
    ...tier('var(txn.host)', []),
    ...tier('var(txn.wildcard)', unless),
    ...tier('str(*)', unless),
    ['use_backend', '%[var(txn.to)]', ...words('if { var(txn.to) -m found }')],
    ['default_backend', 'unrouted'],
  ]
}

/** Says who made an error: rules for answers of servers do not run for those that the gateway makes (RFC 9209). */
const errors: readonly Line[] = [
  ['http-response', 'set-var(txn.answered)', 'bool(true)'],
  ...Object.entries({
    400: 'http_request_error',
    408: 'http_request_error',
    502: 'connection_terminated',
    503: 'destination_unavailable',
    504: 'http_response_timeout',
  }).map(
    ([status, error]): Line => [
      ...words('http-after-response set-header proxy-status'),
      `plumb; error=${error}`,
      ...words(`if { status ${status} } !{ var(txn.answered) -m bool }`),
    ],
  ),
]

function answering(name: string, status: string, text: string): Section {
  const error = status === '404' ? 'destination_not_found' : 'proxy_configuration_error'
  const head = words(`http-request return status ${status} content-type text/plain string`)
  return {
    keyword: 'backend',
    name,
    lines: [[...head, `${text}\n`.trim(), 'hdr', 'proxy-status', `plumb; error=${error}`]],
  }
}

function lowerBackend({ id, protocol, because }: BackendModel): Section {
  return {
    keyword: 'backend',
    name: id,
    comment: `${because.object} ${because.field}`,
    lines: [
      // Servers can be added only where the algorithm is a dynamic one.
      ['balance', 'roundrobin'],
      ...(protocol === 'h2c' ? [['http-request', 'set-uri', 'http://%[req.hdr(host)]%[pathq]']] : []),
    ],
  }
}

/** The name is the address, so that the same pod is the same server in every configuration. */
function lowerServer({ address, port }: ServerModel, { protocol }: BackendModel): Server {
  const text = familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
  return {
    name: `${address}-${port}`,
    address: text,
    options: protocol === 'h2c' ? ['proto', 'h2'] : [],
  }
}

function words(text: string): string[] {
  return text.split(' ')
}
