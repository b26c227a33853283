import { createPrivateKey, X509Certificate } from 'node:crypto'
import { keyOf } from '../cluster/index.ts'
import type { Secret } from './ingress.ts'
import type { Because, Certificate, Staple } from './model.ts'
import { perObject } from './remember.ts'
import type { ConfigMap } from './sources.ts'
import { readStaple } from './staple.ts'

/** What is wrong with a Secret or ConfigMap, and what to do. */
export interface Unusable {
  readonly says: string
  readonly try: string
}

/** Chain and key of a TLS Secret, when HAProxy would take them: every certificate of the chain is read, not only the first. */
export function readCertificate(secret: Secret, because: Because): Certificate | Unusable {
  const read = readPair(secret)
  if ('pem' in read) return { ...read, because }
  const before = secret.before && readPair(secret.before)
  return before !== undefined && 'pem' in before ? { ...before, because, fault: read } : read
}

/** A Secret as it is now, with what it was before where its certificate cannot be used any more. */
export function withBefore(now: Secret, before: Secret): Secret {
  if (now.data?.['tls.crt'] === undefined || 'pem' in readPair(now)) return now
  const last = 'pem' in readPair(before) ? before : before.before
  return last === undefined ? now : { ...now, before: last }
}

/** Reading costs, and a Secret stays the same for long. */
const readPair = perObject((secret: Secret): Omit<Certificate, 'because'> | Unusable => {
  const name = `secret/${keyOf(secret)}`
  const chain = decode(secret.data?.['tls.crt'])
  const key = decode(secret.data?.['tls.key'])
  try {
    const certificates = readChain(chain)
    const leaf = certificates[0]
    if (leaf === undefined) throw new Error('tls.crt has no certificate')
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      return { says: `tls.key of ${name} is not the key of tls.crt`, try: 'store the two that belong together' }
    for (const certificate of certificates) {
      const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength
      // OpenSSL's security level 2 refuses it, and with it the whole configuration.
      if (bits !== undefined && bits < 2048)
        return { says: `a key of ${name} has ${bits} bits`, try: 'use RSA of 2048 bits or ECDSA' }
    }
    const pem = `${[...certificates].map((one) => one.toString().trim()).join('\n')}\n${key.trim()}\n`
    return { id: keyOf(secret).replace('/', ':'), pem, names: namesOf(leaf), ...stapleOf(secret, leaf, certificates) }
  } catch (error) {
    const says = `${name} has no readable tls.crt and tls.key (${(error as Error).message})`
    return { says, try: 'store a certificate and its key in PEM' }
  }
})

/** What is under the key that Istio and others read; the issuer is in the chain, or in `ca.crt`. */
function stapleOf(
  { data = {} }: Secret,
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
): { readonly staple?: Staple; readonly stapleFault?: string } {
  const response = data['tls.ocsp-staple']
  if (response === undefined) return {}
  try {
    const issuer = [...chain.slice(1), ...readChain(decode(data['ca.crt']))].find((one) => leaf.checkIssued(one))
    if (issuer === undefined) throw new Error('the issuer of the certificate is neither in tls.crt nor in ca.crt')
    return { staple: readStaple(Buffer.from(response, 'base64'), leaf, issuer) }
  } catch (error) {
    return { stapleFault: (error as Error).message }
  }
}

/** Certificates of authorities out of `ca.crt` of a ConfigMap or a Secret; duplicates once, as OpenSSL wants them. */
export function readAuthorities(object: ConfigMap | Secret, name: string): { readonly pem: string } | Unusable {
  const data = object.data?.['ca.crt']
  const text = object.kind === 'Secret' ? decode(data) : (data ?? '')
  try {
    const certificates = readChain(text)
    if (certificates.length === 0) throw new Error('ca.crt has no certificate')
    return { pem: [...new Set(certificates.map((one) => `${one.toString().trim()}\n`))].join('') }
  } catch (error) {
    const says = `${name} has no readable ca.crt (${(error as Error).message})`
    return { says, try: 'store certificates in PEM under the key ca.crt' }
  }
}

const longestChain = 100
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** Throws on the first block that is no certificate. */
function readChain(text: string): X509Certificate[] {
  const blocks = text.match(pemBlock) ?? []
  const begun = text.match(/-----BEGIN /g)?.length ?? 0
  if (begun !== blocks.length) throw new Error('something in it is no whole certificate')
  if (blocks.length > longestChain) throw new Error(`more than ${longestChain} certificates`)
  return blocks.map((block) => new X509Certificate(block))
}

function namesOf(leaf: X509Certificate): string[] {
  const alternative = (leaf.subjectAltName ?? '')
    .split(/,\s*/)
    .flatMap((one) => (one.startsWith('DNS:') ? one.slice(4) : []))
  return alternative.map((name) => name.toLowerCase())
}

function decode(data: string | undefined): string {
  return Buffer.from(data ?? '', 'base64').toString()
}
