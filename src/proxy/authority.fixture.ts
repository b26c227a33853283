import { webcrypto } from 'node:crypto'
import type { X509Certificate } from '@peculiar/x509'
import type { KubeObject } from '../objects/index.ts'

/** A certificate with its key; those of authorities can issue others. */
export interface Issued {
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
  /** PEM. */
  readonly cert: string
  readonly key: string
}

interface Asked {
  readonly by?: Issued
  readonly isAuthority?: boolean
  readonly names?: readonly string[]
  /** From now; negative for one that has expired. */
  readonly days?: number
  readonly isRsa?: boolean
  /** Whether it may answer for its issuer (RFC 6960). */
  readonly signsOcsp?: boolean
}

const ec = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}
const dayMs = 86_400_000

/** Makes a certificate for a subject as `CN=x`; its own issuer unless told. */
export async function issue(
  subject: string,
  { by, isAuthority, names = [], days = 2, isRsa, signsOcsp }: Asked = {},
): Promise<Issued> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as never)
  const keys = (await webcrypto.subtle.generateKey(isRsa ? rsa : ec, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const signer = by?.keys ?? keys
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: by?.certificate.subject ?? subject,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signer.privateKey.algorithm.name === 'ECDSA' ? ec : rsa,
    notBefore: new Date(Date.now() - 30 * dayMs),
    notAfter: new Date(Date.now() + days * dayMs),
    extensions: [
      ...(isAuthority ? [new x509.BasicConstraintsExtension(true, undefined, true)] : []),
      ...(signsOcsp ? [new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.9'])] : []),
      ...(names.length > 0
        ? [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }) as const))]
        : []),
    ],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    certificate,
    keys,
    cert: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  }
}

/** A Secret in namespace `ns` for TLS. */
export function tlsSecretOf(name: string, { cert, key }: Issued): KubeObject {
  const data = { 'tls.crt': Buffer.from(cert).toString('base64'), 'tls.key': Buffer.from(key).toString('base64') }
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace: 'ns' },
    data,
  } as never
}

/** A Secret in namespace `ns` with certificates of authorities. */
export function authoritySecretOf(name: string, ...authorities: readonly Issued[]): KubeObject {
  const data = { 'ca.crt': Buffer.from(authorities.map(({ cert }) => cert).join('')).toString('base64') }
  return { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace: 'ns' }, data } as never
}
