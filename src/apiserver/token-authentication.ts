import type { Core } from './core.ts'
import { keyOf, type User } from './scope.ts'
import { isRecord, type JsonRecord } from './value.ts'

/** What a bearer token says, once it was believed. */
export interface TokenUser {
  readonly user: User
  /** Those of the asked audiences that the token is for. */
  readonly audiences: readonly string[]
}

/** So many tokens are remembered as well signed. */
const memory = 1_000

/** Who bears this token: a service account, while token, account and bound object live. A string says what is wrong with it. */
export function authenticateToken(core: Core, token: string, audiences: readonly string[]): TokenUser | string {
  const claims = verified(core, token)
  if (claims === undefined) return 'invalid bearer token'
  const now = Date.now() / 1000
  if (claims.iss !== core.tokens.issuer) return 'invalid bearer token'
  if (typeof claims.exp !== 'number' || claims.exp <= now) return 'service account token has expired'
  if (typeof claims.nbf === 'number' && claims.nbf > now + 60) return 'service account token is not valid yet'
  const named: readonly unknown[] = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  const meant = audiences.filter((audience) => named.includes(audience))
  if (meant.length === 0)
    return `token audiences ${JSON.stringify(named)} is invalid for the target audiences ${JSON.stringify(audiences)}`
  const user = userOf(core, claims)
  return typeof user === 'string' ? user : { user, audiences: meant }
}

function verified(core: Core, token: string): JsonRecord | undefined {
  const { seen, key } = core.tokens
  const known = seen.get(token)
  if (known !== undefined) return known
  const claims = key.verify(token)
  if (claims === undefined) return undefined
  if (seen.size >= memory) seen.delete(seen.keys().next().value!)
  seen.set(token, claims)
  return claims
}

function userOf(core: Core, claims: JsonRecord): User | string {
  const own = isRecord(claims['kubernetes.io']) ? claims['kubernetes.io'] : {}
  const account = reference(own.serviceaccount)
  const { namespace } = own
  if (typeof namespace !== 'string' || account === undefined) return 'invalid bearer token'
  const live = core.store.collection('/serviceaccounts').find(keyOf(namespace, account.name))
  if (live === undefined) return `service account ${namespace}/${account.name} is not there`
  if (live.value.metadata.uid !== account.uid)
    return `the UID in the token does not match service account ${account.name}`
  const extra: Record<string, readonly string[]> = {}
  if (typeof claims.jti === 'string') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`]
  for (const [kind, collection] of Object.entries({ pod: '/pods', secret: '/secrets', node: '/nodes' })) {
    const bound = reference(own[kind])
    if (bound === undefined) continue
    // The node of a pod's token is told without a uid, and is information only.
    if (bound.uid === undefined) extra['authentication.kubernetes.io/node-name'] = [bound.name]
    else {
      const object = core.store.collection(collection).find(keyOf(kind === 'node' ? undefined : namespace, bound.name))
      if (object?.value.metadata.uid !== bound.uid)
        return `the ${kind} ${bound.name} that the token is bound to is gone`
      extra[`authentication.kubernetes.io/${kind}-name`] = [bound.name]
      extra[`authentication.kubernetes.io/${kind}-uid`] = [bound.uid]
    }
  }
  const name = `system:serviceaccount:${namespace}:${account.name}`
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  return { name, uid: account.uid ?? '', groups, extra }
}

function reference(value: unknown): { readonly name: string; readonly uid: string | undefined } | undefined {
  if (!isRecord(value) || typeof value.name !== 'string') return undefined
  return { name: value.name, uid: typeof value.uid === 'string' ? value.uid : undefined }
}
