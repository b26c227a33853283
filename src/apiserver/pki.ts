import { createPrivateKey, KeyObject, type webcrypto } from 'node:crypto'

/** A private key and its certificate, both PEM text. */
export interface KeyPair {
  readonly key: string
  readonly cert: string
}

/** What a certificate is to say. */
export interface CertificateRequest {
  readonly commonName: string
  /** Kubernetes reads them as the user's groups. */
  readonly organizations?: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
  readonly dnsNames?: readonly string[]
  readonly addresses?: readonly string[]
  /** 365 when left out. */
  readonly days?: number
  /** ECDSA P-256 when left out. */
  readonly keyAlgorithm?: 'rsa-2048'
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const rsa = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
} as const
/** Certificates begin in the past, for clocks that are behind. */
const backdateMs = 3_600_000
const dayMs = 86_400_000

// Loaded at first use: 80 ms that a process that makes no certificates need not spend.
async function load() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A new certificate authority: ECDSA P-256, ten years. */
export async function createAuthority(commonName: string): Promise<KeyPair> {
  const x509 = await load()
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + 3650 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { key: renderKey(keys.privateKey), cert: pem(certificate.toString('pem')) }
}

/** A new key with a certificate that the authority signs. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest): Promise<KeyPair> {
  const x509 = await load()
  const keys = await crypto.subtle.generateKey(request.keyAlgorithm === undefined ? algorithm : rsa, true, [
    'sign',
    'verify',
  ])
  const issuer = new x509.X509Certificate(authority.cert)
  const now = Date.now()
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ]
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth }
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [...(request.organizations ?? []).map((name) => ({ O: [name] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + (request.days ?? 365) * dayMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await readKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => usages[usage])),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  })
  return { key: renderKey(keys.privateKey), cert: pem(certificate.toString('pem')) }
}

/** The certificate of an API server: the names and addresses under which pods and operators reach it. */
export function issueApiServerCertificate(
  authority: KeyPair,
  options: {
    readonly addresses: readonly string[]
    readonly clusterDomain: string
    readonly dnsNames?: readonly string[]
  },
): Promise<KeyPair> {
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${options.clusterDomain}`,
  ]
  return issueCertificate(authority, {
    commonName: 'kube-apiserver',
    usages: ['server'],
    dnsNames: ['localhost', ...service, ...(options.dnsNames ?? [])],
    addresses: ['127.0.0.1', '::1', ...options.addresses],
  })
}

/** A kubelet's certificate: it serves, and it is the node's user (`system:node:NAME`, group `system:nodes`). */
export function issueKubeletCertificate(
  authority: KeyPair,
  nodeName: string,
  addresses: readonly string[],
): Promise<KeyPair> {
  return issueCertificate(authority, {
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    usages: ['server', 'client'],
    dnsNames: [nodeName],
    addresses,
  })
}

function serial(): string {
  // Positive and at most 20 bytes (RFC 5280 section 4.1.2.2): the first byte stays below 0x80.
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

/** RSA keys in the form of PKCS #1, which every client reads. */
function renderKey(key: webcrypto.CryptoKey): string {
  const object = KeyObject.from(key)
  if (object.asymmetricKeyType === 'rsa') return object.export({ type: 'pkcs1', format: 'pem' }) as string
  return object.export({ type: 'pkcs8', format: 'pem' }) as string
}

function readKey(text: string): Promise<webcrypto.CryptoKey> {
  const bytes = createPrivateKey(text).export({ type: 'pkcs8', format: 'der' })
  return crypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign'])
}

function pem(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}
