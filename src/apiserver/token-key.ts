import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord, type JsonRecord } from './value.ts'

/** Longer tokens are not looked at. */
const longest = 16_384

/** Signs and checks JSON Web Tokens (RFC 7519) with one key: ES256 for a P-256 key, RS256 for RSA. */
export interface TokenKey {
  sign(claims: object): string
  /** The claims of a token that this key signed; undefined for any other. Times are the caller's to check. */
  verify(token: string): JsonRecord | undefined
  /** The public half as a JSON Web Key (RFC 7517). */
  readonly jwk: JsonRecord
}

/** A key from PEM text; throws when it is neither P-256 nor RSA. */
export function readTokenKey(pem: string): TokenKey {
  const key = createPrivateKey(pem)
  const publicKey = createPublicKey(key)
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
  const algorithm = algorithmOf(key)
  const head = encode({ alg: algorithm, kid: id })
  const options = { dsaEncoding: 'ieee-p1363' } as const
  return {
    sign: (claims) => {
      const text = `${head}.${encode(claims)}`
      return `${text}.${sign('sha256', Buffer.from(text), { key, ...options }).toString('base64url')}`
    },
    verify: (token) => {
      if (token.length > longest) return undefined
      const [header = '', payload = '', signature = '', ...more] = token.split('.')
      // The algorithm is the key's, never the token's choice (RFC 8725 section 3.1).
      if (more.length > 0 || decode(header)?.alg !== algorithm) return undefined
      const signed = Buffer.from(`${header}.${payload}`)
      const sound = verify('sha256', signed, { key: publicKey, ...options }, Buffer.from(signature, 'base64url'))
      return sound ? decode(payload) : undefined
    },
    jwk: { ...(publicKey.export({ format: 'jwk' }) as JsonRecord), use: 'sig', kid: id, alg: algorithm },
  }
}

/** The key of a data folder, made at first use; in memory it lives as long as the process. */
export function openTokenKey(dataDir: string): TokenKey {
  if (dataDir === ':memory:') return readTokenKey(createKey())
  const path = join(dataDir, 'service-account.key')
  if (!existsSync(path)) writeFileSync(path, createKey(), { mode: 0o600 })
  return readTokenKey(readFileSync(path, 'utf8'))
}

function createKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

function algorithmOf(key: KeyObject): 'ES256' | 'RS256' {
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256'
  throw new Error('serviceAccount.key is neither an RSA nor a P-256 key')
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
