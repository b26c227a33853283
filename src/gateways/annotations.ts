import { unfollowed } from './annotation-names.ts'
import { AnnotationReader, annotationPrefixes } from './annotation-reader.ts'
import { type Canary, readCanary } from './canary.ts'
import { type Ingress, objectOf } from './ingress.ts'
import { readAnswers } from './ingress-answers.ts'
import { type ExternalAuth, type IngressAuth, readAuth } from './ingress-auth.ts'
import { type ClientRequest, readClients } from './ingress-clients.ts'
import { type ErrorPages, readErrorPages } from './ingress-errors.ts'
import { readCustomHeaders } from './ingress-headers.ts'
import { type Mirror, readMirror } from './ingress-mirror.ts'
import { type Particulars, readParticulars } from './ingress-particulars.ts'
import { type PodsTls, readPodsTls } from './ingress-pods-tls.ts'
import type { Referred } from './ingress-referred.ts'
import type { Filter, Finding, UserList } from './model.ts'

/** What the annotations of an Ingress ask for, of all its paths. */
export interface IngressSettings {
  /** Paths but Exact ones are regular expressions, of which the beginning of a request's path has to match. */
  readonly isRegex: boolean
  /** The path that requests go on with; `$1` is a group of the path's expression. */
  readonly rewrite?: string
  /** For all requests, before they go on. */
  readonly filters: readonly Filter[]
  /** Answers all requests. */
  readonly redirect?: Filter
  /** Which HTTP requests are redirected to HTTPS. */
  readonly secure: 'none' | 'with-tls' | 'all'
  /** Where requests for `/` are redirected to. */
  readonly appRoot?: string
  /** More hosts with the same paths, where nobody has them. */
  readonly aliases: readonly string[]
  /** Whether `www.HOST` is redirected to HOST, and the other way round. */
  readonly isWwwRedirected: boolean
  readonly timeoutMs?: number
  readonly particular: Particulars
  /** What TLS to pods relies on. */
  readonly pods: PodsTls
  readonly isPassthrough: boolean
  readonly canary?: Canary
  /** Who is asked about requests. */
  readonly external?: ExternalAuth
  /** Which certificates clients of its hosts show. */
  readonly clients?: ClientRequest
  /** Who gets a copy of requests that go on. */
  readonly mirror?: Mirror
  /** Who answers where pods do not. */
  readonly errors?: ErrorPages
  /** That a filter speaks of. */
  readonly userList?: UserList
  /** Why requests get 500: something that was to keep others out cannot be done. */
  readonly blocked?: string
}

/** Of an Ingress without a word from us. */
const plain: IngressSettings = {
  isRegex: false,
  filters: [],
  secure: 'none',
  aliases: [],
  isWwwRedirected: false,
  particular: {},
  pods: {},
  isPassthrough: false,
}

export function readAnnotations(
  ingress: Ingress,
  referred: Referred,
): { settings: IngressSettings; findings: readonly Finding[] } {
  const annotations = ingress.metadata.annotations ?? {}
  const isAnnotated = Object.keys(annotations).some((key) =>
    annotationPrefixes.some((prefix) => key.startsWith(prefix)),
  )
  if (!isAnnotated) return { settings: plain, findings: [] }
  const read = new AnnotationReader(annotations, objectOf(ingress))
  const rewrite = read.like('rewrite-target', /^\/[^\s\\?#]*$/, 'a path without a query')
  const auth = readAuth(read, ingress, referred)
  const headers = readCustomHeaders(read, ingress, referred)
  const pods = readPodsTls(read, ingress, referred)
  const blocked = blockedBy(read, annotations) ?? auth.blocked ?? headers.blocked ?? pods.blocked
  const mirror = readMirror(read, ingress, referred)
  const appRoot = read.like('app-root', /^\/[^\s\\#]*$/, 'a path')
  const readSeconds = read.integer('proxy-read-timeout', 1, 86_400)
  const sendSeconds = read.integer('proxy-send-timeout', 1, 86_400)
  const seconds = Math.max(readSeconds ?? 0, sendSeconds ?? 0)
  const redirect = redirectOf(read)
  const canary = readCanary(read)
  const clients = readClients(read, ingress)
  const errors = readErrorPages(read)
  const settings: IngressSettings = {
    isRegex: (read.flag('use-regex') ?? false) || /\$\d/.test(rewrite ?? ''),
    filters: [
      ...filtersOf(read, auth),
      ...readAnswers(read),
      ...(headers.filter === undefined ? [] : [headers.filter]),
    ],
    secure: read.flag('force-ssl-redirect') ? 'all' : read.flag('ssl-redirect') ? 'with-tls' : 'none',
    aliases: read.list('server-alias') ?? [],
    isWwwRedirected: read.flag('from-to-www-redirect') ?? false,
    particular: { ...readParticulars(read, objectOf(ingress)), ...(pods.tls && { tls: pods.tls }) },
    pods,
    isPassthrough: read.flag('ssl-passthrough') ?? false,
    ...(rewrite !== undefined && { rewrite }),
    ...(redirect && { redirect }),
    ...(appRoot !== undefined && { appRoot }),
    ...(seconds > 0 && { timeoutMs: seconds * 1000 }),
    ...(canary && { canary }),
    ...(auth.external && { external: auth.external }),
    ...(clients && { clients }),
    ...(mirror && { mirror }),
    ...(errors && { errors }),
    ...(auth.userList && { userList: auth.userList }),
    ...(blocked !== undefined && { blocked }),
  }
  return { settings, findings: read.findings }
}

/** The names that are followed, each by the function that reads it. */
const followed = new Set(
  `rewrite-target use-regex ssl-redirect force-ssl-redirect permanent-redirect permanent-redirect-code temporal-redirect
  temporal-redirect-code app-root backend-protocol proxy-body-size proxy-read-timeout proxy-send-timeout proxy-next-upstream-tries proxy-next-upstream
  proxy-connect-timeout load-balance upstream-hash-by limit-rps limit-rpm limit-connections limit-burst-multiplier limit-allowlist limit-whitelist
  whitelist-source-range allowlist-source-range denylist-source-range satisfy enable-cors cors-allow-origin cors-allow-methods cors-allow-headers
  cors-expose-headers cors-allow-credentials cors-max-age affinity session-cookie-name session-cookie-max-age session-cookie-expires
  session-cookie-path session-cookie-domain session-cookie-samesite session-cookie-secure
  proxy-redirect-from proxy-redirect-to proxy-cookie-domain proxy-cookie-path mirror-host mirror-request-body
  canary canary-weight canary-weight-total canary-by-header canary-by-header-value canary-by-header-pattern canary-by-cookie
  upstream-vhost x-forwarded-prefix proxy-ssl-secret proxy-ssl-verify proxy-ssl-name proxy-ssl-server-name ssl-passthrough from-to-www-redirect
  server-alias auth-type auth-secret auth-secret-type auth-realm auth-url auth-signin auth-signin-redirect-param auth-method
  service-upstream custom-headers mirror-target auth-response-headers auth-proxy-set-headers auth-cache-key
  auth-tls-secret auth-tls-verify-client auth-tls-verify-depth auth-tls-error-page auth-tls-match-cn
  auth-tls-pass-certificate-to-upstream default-backend custom-http-errors disable-proxy-intercept-errors`.split(/\s+/),
)

/** Tells of annotations that are not followed; answers why the Ingress must not be served without one. */
function blockedBy(read: AnnotationReader, annotations: Readonly<Record<string, string>>): string | undefined {
  let blocked: string | undefined
  for (const key of Object.keys(annotations)) {
    const prefix = annotationPrefixes.find((one) => key.startsWith(one))
    if (prefix === undefined) continue
    const name = key.slice(prefix.length)
    const known = unfollowed.get(name)
    if (known !== undefined) {
      const codes = { ignored: 'AnnotationIgnored', guard: 'AnnotationNotServed', refused: 'AnnotationRefused' }
      read.refuse(name, known.says, known.try, codes[known.kind])
      if (known.kind === 'guard' && !/^(false|off)$/.test(annotations[key]!)) blocked ??= `${key}: ${known.says}`
    } else if (prefix !== 'plumb.network/' && !followed.has(name)) {
      read.refuse(name, `${key} is not known`, 'take the annotation away', 'AnnotationIgnored')
    }
  }
  // Who asked for a fence and wrote it wrong does not want none.
  for (const name of ['whitelist-source-range', 'allowlist-source-range', 'denylist-source-range'])
    if (read.text(name) !== undefined && new AnnotationReader(annotations, '').prefixes(name) === undefined)
      blocked ??= `${name} cannot be read`
  return blocked
}

function filtersOf(read: AnnotationReader, { basic, external }: IngressAuth): Filter[] {
  const allow = [...(read.prefixes('whitelist-source-range') ?? []), ...(read.prefixes('allowlist-source-range') ?? [])]
  const deny = read.prefixes('denylist-source-range') ?? []
  const host = read.like('upstream-vhost', /^[\w.-]+(:\d{1,5})?$/, 'a host')
  const prefix = read.like('x-forwarded-prefix', /^\/[\x21-\x7e]*$/, 'a path')
  const cors = read.flag('enable-cors') ? corsOf(read) : undefined
  const isAny = read.like('satisfy', /^(all|any)$/, 'all or any') === 'any'
  const isEnough = isAny && (basic !== undefined || external !== undefined)
  const forwarded = { set: [['x-forwarded-prefix', prefix ?? ''] as const], add: [], remove: [] }
  return [
    ...(allow.length + deny.length > 0
      ? [{ kind: 'sources', allow, deny, ...(isEnough && { isEnough }) } as const]
      : []),
    ...(cors === undefined ? [] : [cors]),
    ...(basic === undefined ? [] : [basic]),
    ...(prefix === undefined ? [] : [{ kind: 'request-headers', change: forwarded } as const]),
    ...(host === undefined ? [] : [{ kind: 'rewrite', host } as const]),
  ]
}

/** Unless told, what ingress-nginx allows. */
function corsOf(read: AnnotationReader): Filter {
  const headers =
    'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization'
  return {
    kind: 'cors',
    origins: read.list('cors-allow-origin') ?? ['*'],
    methods: read.list('cors-allow-methods') ?? 'GET,PUT,POST,DELETE,PATCH,OPTIONS'.split(','),
    headers: read.list('cors-allow-headers') ?? headers.split(','),
    expose: read.list('cors-expose-headers') ?? [],
    credentials: read.flag('cors-allow-credentials') ?? true,
    maxAgeSeconds: read.integer('cors-max-age', 0, 999_999_999) ?? 1_728_000,
  }
}

function redirectOf(read: AnnotationReader): Filter | undefined {
  for (const [name, standard] of [
    ['permanent-redirect', 301],
    ['temporal-redirect', 302],
  ] as const) {
    const text = read.like(name, /^https?:\/\/[^\s?#\\"]+$/i, 'an http(s) URL without a query')
    const url = text === undefined ? null : URL.parse(text)
    if (url === null) continue
    const status = read.integer(`${name}-code`, 300, 308) ?? standard
    return {
      kind: 'redirect',
      status,
      scheme: url.protocol.slice(0, -1),
      host: url.hostname,
      ...(url.port !== '' && { port: Number(url.port) }),
      path: { kind: 'full', path: url.pathname },
    }
  }
  return undefined
}
