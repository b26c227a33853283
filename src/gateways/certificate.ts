import { createPrivateKey, X509Certificate } from 'node:crypto'
import { keyOf } from '../cluster/index.ts'
import { type Ingress, objectOf, type Secret } from './ingress.ts'
import { type Because, type Certificate, type Finding, hostText, parseHost, type TlsHost } from './model.ts'
import type { Sources } from './sources.ts'

interface Tls {
  readonly certificates: readonly Certificate[]
  readonly tlsHosts: readonly TlsHost[]
  readonly findings: readonly Finding[]
}

/** The certificates that Ingresses ask for, oldest first, and the hosts that each is for. A host without a usable one gets the default. */
export function compileTls(ingresses: readonly Ingress[], secrets: Sources['secrets']): Tls {
  const certificates = new Map<string, Certificate>()
  const tlsHosts = new Map<string, TlsHost>()
  const findings: Finding[] = []
  for (const ingress of ingresses) {
    for (const [at, { hosts = [], secretName }] of (ingress.spec?.tls ?? []).entries()) {
      // Without a secret only passthrough or the default certificate can be meant.
      if (!secretName) continue
      const field = `spec.tls[${at}].secretName`
      const because = { object: objectOf(ingress), field, value: secretName }
      const namespace = ingress.metadata.namespace ?? ''
      const read = readCertificate(secrets.get(`${namespace}/${secretName}`), namespace, because)
      if ('finding' in read) {
        findings.push(read.finding)
        continue
      }
      const { certificate } = read
      certificates.set(certificate.id, certificate)
      const named = hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? [])
      for (const name of named) {
        const host = parseHost(name)
        const taken = tlsHosts.get(hostText(host))
        if (taken === undefined) tlsHosts.set(hostText(host), { host, certificate: certificate.id, because })
        else if (taken.certificate !== certificate.id) findings.push(certificateTaken(taken, because, name))
      }
    }
  }
  return { certificates: [...certificates.values()], tlsHosts: [...tlsHosts.values()], findings }
}

function readCertificate(
  secret: Secret | undefined,
  namespace: string,
  because: Because,
): { certificate: Certificate } | { finding: Finding } {
  const fail = (code: string, says: string, remedy: string): { finding: Finding } => ({
    finding: {
      code,
      object: because.object,
      field: because.field,
      says: `${says}; the default certificate is served`,
      try: remedy,
    },
  })
  if (secret === undefined) {
    const says = `there is no TLS Secret "${because.value}" in ${namespace}`
    return fail('SecretMissing', says, `kubectl create secret tls ${because.value} -n ${namespace} --cert=… --key=…`)
  }
  const chain = decode(secret.data?.['tls.crt'])
  const key = decode(secret.data?.['tls.key'])
  try {
    const leaf = new X509Certificate(chain)
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      return fail(
        'SecretInvalid',
        `tls.key of secret/${keyOf(secret)} is not the key of tls.crt`,
        'store the two that belong together',
      )
    const bits = leaf.publicKey.asymmetricKeyDetails?.modulusLength
    // OpenSSL's security level 2 refuses it, and with it the whole configuration.
    if (bits !== undefined && bits < 2048)
      return fail(
        'SecretInvalid',
        `the key of secret/${keyOf(secret)} has ${bits} bits`,
        'use RSA of 2048 bits or ECDSA',
      )
  } catch (error) {
    const says = `secret/${keyOf(secret)} has no readable tls.crt and tls.key (${(error as Error).message})`
    return fail('SecretInvalid', says, 'store a certificate and its key in PEM')
  }
  const pem = `${chain.trim()}\n${key.trim()}\n`
  return { certificate: { id: keyOf(secret).replace('/', ':'), pem, because } }
}

function decode(data: string | undefined): string {
  return Buffer.from(data ?? '', 'base64').toString()
}

function certificateTaken(taken: TlsHost, because: Because, name: string): Finding {
  return {
    code: 'CertificateTaken',
    object: because.object,
    field: because.field,
    says: `${name} is served with the certificate of ${taken.because.object} (${taken.because.value}) already`,
    try: 'name the same Secret in both, or take the host out of one',
  }
}
