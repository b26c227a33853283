import type { AnnotationReader } from './annotation-reader.ts'
import { readAuthorities } from './certificate.ts'
import { covers, hostText, moreSpecific, parseHost } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import type { Claim } from './ingress-claims.ts'
import { type Referred, referredKey } from './ingress-referred.ts'
import { regexFault } from './match.ts'
import type { Authority, Filter, Finding, ListenerModel } from './model.ts'
import { isPermitted } from './reference.ts'
import { perObjectGiven } from './remember.ts'

type ClientFilter = Filter & { kind: 'client-certificate' }

/** What an Ingress asks of the certificates of clients (`auth-tls-*`), as written. */
export type ClientRequest =
  | { readonly kind: 'asked'; readonly secret: string; readonly filter: Omit<ClientFilter, 'authority'> }
  /** It cannot be read, so nobody comes in. */
  | { readonly kind: 'blocked'; readonly says: string }

const modes = { on: 'required', optional: 'optional', optional_no_ca: 'unverified', off: 'off' } as const

/** Undefined where nothing is asked. */
export function readClients(read: AnnotationReader, { metadata }: Ingress): ClientRequest | undefined {
  const asked = [
    'auth-tls-secret',
    'auth-tls-verify-client',
    'auth-tls-verify-depth',
    'auth-tls-error-page',
    'auth-tls-match-cn',
    'auth-tls-pass-certificate-to-upstream',
  ].filter((name) => read.text(name) !== undefined)
  if (asked.length === 0) return undefined
  const faults = read.findings.length
  const word = read.like('auth-tls-verify-client', /^(on|off|optional|optional_no_ca)$/, Object.keys(modes).join(', '))
  const mode = modes[(word ?? 'on') as keyof typeof modes]
  const depth = read.integer('auth-tls-verify-depth', 0, 100) ?? 1
  const errorPage = read.like('auth-tls-error-page', /^(https?:\/\/|\/)[\x21\x23-\x7e]+$/, 'a URL')
  const commonName = read.like('auth-tls-match-cn', /^CN=[\x20-\x7e]+$/, 'CN= and a regular expression')
  const fault = commonName === undefined ? undefined : regexFault(commonName)
  if (fault !== undefined)
    read.refuse(
      'auth-tls-match-cn',
      `"${commonName}" cannot be used: ${fault}`,
      'write one that RE2, PCRE and ECMAScript all understand',
    )
  const passes = read.flag('auth-tls-pass-certificate-to-upstream') ?? false
  if (read.findings.length > faults) return { kind: 'blocked', says: 'how clients show certificates cannot be read' }
  const named = read.text('auth-tls-secret')
  if (named === undefined) {
    if (mode === 'off') return undefined
    const says = 'no authority is named by which certificates of clients are judged'
    read.refuse(asked[0]!, says, 'name a Secret with ca.crt by auth-tls-secret', 'AnnotationNotServed')
    return { kind: 'blocked', says }
  }
  const filter = {
    kind: 'client-certificate',
    mode,
    depth,
    passes,
    ...(commonName && { commonName }),
    ...(errorPage && { errorPage }),
  } as const
  return { kind: 'asked', secret: referredKey(named, metadata.namespace ?? ''), filter }
}

/** What becomes of requests for a host before anything else. */
export interface ClientCheck {
  /** The Ingress that asks for it. */
  readonly object: string
  readonly filter?: ClientFilter
  readonly authority?: Authority
  /** Why nobody comes in. */
  readonly blocked?: string
  readonly findings: readonly Finding[]
}

/**
 * The checks by host. A connection is asked for a certificate before it says which path it wants, so what one Ingress asks is asked of the
 * whole host, as at ingress-nginx; the oldest has it.
 */
export function compileChecks(claims: readonly Claim[], referred: Whence): ReadonlyMap<string, ClientCheck> {
  const checks = new Map<string, ClientCheck>()
  for (const claim of claims) {
    const { ingress, settings, host, because } = claim
    // A default backend makes other hosts no hosts of its Ingress.
    const isOwn = because.field !== 'spec.defaultBackend' || ingress.spec?.rules === undefined
    if (settings.clients === undefined || !isOwn || checks.has(hostText(host))) continue
    checks.set(hostText(host), checkOf(ingress, settings.clients, referred))
  }
  return checks
}

/** The check of a claim: that of its host. An Ingress may ask for more than the first of its host, but not for another authority. */
export function checkOfClaim(
  { ingress, settings, host, entries, backends }: Claim,
  checks: ReadonlyMap<string, ClientCheck>,
  referred: Whence,
): ClientCheck | undefined {
  const check = checks.get(hostText(host))
  // Nobody can show a certificate before the redirect to HTTPS.
  if (entries.length === 1 && entries[0] === 'http' && backends.length === 0) return undefined
  if (settings.clients === undefined) return check
  const own = checkOf(ingress, settings.clients, referred)
  if (own.blocked !== undefined || own.filter?.authority === check?.filter?.authority) return own
  return otherCheck(own, check, hostText(host))
}

/** The listeners of an entrance with what they ask: a host that asks is a listener of its own, so that no connection made for another is good for it. */
export function askClients(
  listeners: readonly ListenerModel[],
  checks: ReadonlyMap<string, ClientCheck>,
): ListenerModel[] {
  const asked = new Map(listeners.map((one) => [hostText(one.host), one]))
  for (const [text, { authority, object }] of checks) {
    if (authority === undefined) continue
    const host = parseHost(text, 'wildcard')
    const [nearest] = listeners.filter((one) => covers(one.host, host)).sort((a, b) => moreSpecific(a.host, b.host))
    // TLS that goes on to pods is theirs to ask in.
    if (nearest === undefined || nearest.mode !== 'http') continue
    const because = { object, field: 'metadata.annotations', value: authority.id }
    asked.set(text, { ...nearest, host, id: `${nearest.id}~${authority.id}`, clientAuthority: authority.id, because })
  }
  return [...asked.values()]
}

type Whence = Pick<Referred, 'secrets' | 'grants'>

const checks = perObjectGiven<ClientRequest, ClientCheck>()

function checkOf(ingress: Ingress, request: ClientRequest, { secrets, grants }: Whence): ClientCheck {
  const object = objectOf(ingress)
  if (request.kind === 'blocked') return { object, blocked: request.says, findings: [] }
  const { secret: key, filter } = request
  if (filter.mode === 'off') return { object, filter: { ...filter, authority: '' }, findings: [] }
  const secret = secrets.get(key)
  return checks(request, [secret, ...grants], () => {
    const [namespace = '', name = ''] = key.split('/')
    const from = { group: 'networking.k8s.io', kind: 'Ingress', namespace: ingress.metadata.namespace ?? '' }
    const block = (code: string, says: string, remedy: string): ClientCheck => {
      const field = 'metadata.annotations[auth-tls-secret]'
      return { object, blocked: says, findings: [{ code, object, field, says, try: remedy }] }
    }
    if (!isPermitted(from, { group: '', kind: 'Secret', namespace, name }, grants))
      return block(
        'AnnotationNotServed',
        `no ReferenceGrant in ${namespace} lets Ingresses of ${from.namespace} use secret/${key}`,
        `make one, or name a Secret of ${from.namespace}`,
      )
    if (secret === undefined)
      return block(
        'SecretMissing',
        `there is no Secret ${key} with ca.crt`,
        'create it with certificates of authorities',
      )
    if (secret.data?.['ca.crl'] !== undefined)
      return block('SecretInvalid', `ca.crl of secret/${key} would not be heeded`, 'take the key away')
    const read = readAuthorities(secret, `secret/${key}`)
    if ('says' in read) return block('SecretInvalid', read.says, read.try)
    const id = `asked:${namespace}:${name}`
    return { object, filter: { ...filter, authority: id }, authority: { id, pem: read.pem }, findings: [] }
  })
}

function otherCheck({ object }: ClientCheck, check: ClientCheck | undefined, host: string): ClientCheck {
  const says =
    check === undefined
      ? `clients of ${host} are not asked for certificates`
      : `${check.object} asks clients of ${host} for certificates of another authority already`
  const field = 'metadata.annotations[auth-tls-secret]'
  const finding = {
    code: 'AuthorityTaken',
    object,
    field,
    says,
    try: 'name the same Secret in all Ingresses of a host',
  }
  return { object, blocked: says, findings: [finding] }
}
