import type { AnnotationReader } from './annotation-reader.ts'
import type { BackendModel, Balance, ClientLimits } from './model.ts'

/** What is particular about how pods of an Ingress are chosen and spoken to. */
export type Particulars = Pick<
  BackendModel,
  'tls' | 'retry' | 'persistence' | 'balance' | 'connectTimeoutMs' | 'limits' | 'mostBodyBytes' | 'viaService'
> & { readonly protocol?: BackendModel['protocol'] }

/** `object` names the Ingress. */
export function readParticulars(read: AnnotationReader, object: string): Particulars {
  const spoken = read.like('backend-protocol', /^(HTTP|HTTPS|GRPC|GRPCS|AUTO_HTTP)$/i, 'HTTP, HTTPS, GRPC or GRPCS')
  const persistence = readSession(read)
  const upper = spoken?.toUpperCase() ?? ''
  const retry = readRetry(read)
  const balance = readBalance(read)
  const connectSeconds = read.integer('proxy-connect-timeout', 1, 75)
  const limits = readLimits(read, object)
  const bytes = read.bytes('proxy-body-size') ?? 0
  return {
    ...(upper.startsWith('GRPC') && { protocol: 'h2c' }),
    ...(/^(HTTP|HTTPS)$/.test(upper) && { protocol: 'http1' }),
    ...(retry && { retry }),
    ...(persistence && { persistence }),
    ...(balance && { balance }),
    ...(connectSeconds && { connectTimeoutMs: connectSeconds * 1000 }),
    ...(limits && { limits }),
    ...(read.flag('service-upstream') && { viaService: true }),
    // 0 is no limit.
    ...(bytes > 0 && { mostBodyBytes: bytes }),
  }
}

function readSession(read: AnnotationReader): BackendModel['persistence'] {
  if (read.like('affinity', /^cookie$/, 'cookie') === undefined) return undefined
  const name = read.like('session-cookie-name', /^[\w-]{1,64}$/, 'a name of letters, digits, _ and -')
  const maxAgeSeconds =
    read.integer('session-cookie-max-age', 1, 999_999_999) ?? read.integer('session-cookie-expires', 1, 999_999_999)
  const path = read.like('session-cookie-path', /^\/[\w./~-]*$/, 'a path of letters, digits and ./~-_')
  const domain = read.like('session-cookie-domain', /^[\w.-]+$/, 'a host')
  const sameSite = read.like('session-cookie-samesite', /^(None|Lax|Strict)$/i, 'None, Lax or Strict')
  return {
    kind: 'cookie',
    name: name ?? 'INGRESSCOOKIE',
    ...(maxAgeSeconds && { maxAgeSeconds }),
    ...(path !== undefined && { path }),
    ...(domain !== undefined && { domain }),
    ...(sameSite !== undefined && { sameSite: sameSite[0]!.toUpperCase() + sameSite.slice(1).toLowerCase() }),
    // Browsers drop a cookie for other sites that may go by HTTP.
    ...((read.flag('session-cookie-secure') ?? /^none$/i.test(sameSite ?? '')) && { isSecure: true }),
  }
}

/** What HAProxy can try again (`retry-on`); 429 and wrong headers are not among it. */
const triedAgain = /^(error|timeout|off|non_idempotent|http_(403|404|500|502|503|504))$/

function readRetry(read: AnnotationReader): Particulars['retry'] {
  const tries = read.integer('proxy-next-upstream-tries', 1, 10)
  const words = read.text('proxy-next-upstream')?.split(/[\s,]+/)
  if (tries === undefined && words === undefined) return undefined
  const unknown = (words ?? []).filter((word) => !triedAgain.test(word))
  if (unknown.length > 0)
    read.refuse(
      'proxy-next-upstream',
      `"${unknown.join(' ').slice(0, 80)}" is passed over`,
      'name error, timeout, off, non_idempotent, http_403, 404, 500, 502, 503 or 504',
    )
  if (words?.includes('off')) return { attempts: 0, codes: [] }
  const codes = (words ?? []).flatMap((word) =>
    /^http_\d+$/.test(word) && triedAgain.test(word) ? Number(word.slice(5)) : [],
  )
  // ingress-nginx tries 3 times unless told, and a POST only once unless told.
  return { attempts: (tries ?? 3) - 1, codes, sparesPost: !words?.includes('non_idempotent') }
}

const variables: Readonly<Record<string, Balance>> = {
  $request_uri: { kind: 'hash', by: 'uri' },
  $uri: { kind: 'hash', by: 'path' },
  $host: { kind: 'hash', by: 'host' },
  $remote_addr: { kind: 'hash', by: 'client' },
  $binary_remote_addr: { kind: 'hash', by: 'client' },
}
const kindOf = { http: 'header', cookie: 'cookie', arg: 'query' } as const

function readBalance(read: AnnotationReader): Balance | undefined {
  const by = read.text('upstream-hash-by')
  if (by !== undefined) {
    const [, kind, name] = /^\$(http|cookie|arg)_(\w{1,64})$/.exec(by) ?? []
    if (name !== undefined) {
      const of = kindOf[kind as keyof typeof kindOf]
      return { kind: 'hash', by: of, name: of === 'header' ? name.replaceAll('_', '-') : name }
    }
    if (Object.hasOwn(variables, by)) return variables[by]
    read.refuse(
      'upstream-hash-by',
      `"${by.slice(0, 80)}" cannot be hashed`,
      `name one of ${Object.keys(variables).join(', ')}, $http_NAME, $cookie_NAME, $arg_NAME`,
    )
  }
  const algorithm = read.like('load-balance', /^(round_robin|ewma|least_conn|ip_hash)$/, 'round_robin or ewma')
  if (algorithm === 'ip_hash') return { kind: 'hash', by: 'client' }
  return algorithm === 'ewma' || algorithm === 'least_conn' ? { kind: 'fewest' } : undefined
}

/** How much a client may have of what is told apart by `id`; undefined for any amount. */
export function readLimits(read: AnnotationReader, id: string): ClientLimits | undefined {
  const most = 1_000_000
  const perSecond = read.integer('limit-rps', 1, most)
  const perMinute = read.integer('limit-rpm', 1, most)
  const connections = read.integer('limit-connections', 1, most)
  const burst = read.integer('limit-burst-multiplier', 1, 100) ?? 5
  const except = [...(read.prefixes('limit-allowlist') ?? []), ...(read.prefixes('limit-whitelist') ?? [])]
  if (perSecond === undefined && perMinute === undefined && connections === undefined) return undefined
  return {
    id,
    ...(perSecond && { perSecond }),
    ...(perMinute && { perMinute }),
    ...(connections && { connections }),
    burst,
    except,
  }
}
