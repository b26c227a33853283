import { readCertificate } from './certificate.ts'
import { type HostPattern, hostText, parseHost } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import type { Because, Certificate, Finding, ListenerModel } from './model.ts'
import type { Sources } from './sources.ts'

/** A certificate that an Ingress asks for, for a host. */
export interface TlsClaim {
  readonly host: HostPattern
  readonly certificate: string
  readonly because: Because
}

/** The certificates that an Ingress asks for, and the hosts that each is for. A host without a usable one gets the default. */
export function readTls(ingress: Ingress, secrets: Sources['secrets']) {
  const certificates: Certificate[] = []
  const tls: TlsClaim[] = []
  const findings: Finding[] = []
  for (const [at, { hosts = [], secretName }] of (ingress.spec?.tls ?? []).entries()) {
    // Without a secret only passthrough or the default certificate can be meant.
    if (!secretName) continue
    const because = { object: objectOf(ingress), field: `spec.tls[${at}].secretName`, value: secretName }
    const read = findCertificate(ingress.metadata.namespace ?? '', because, secrets)
    if ('code' in read) {
      findings.push(read)
      continue
    }
    certificates.push(read)
    const named = hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? [])
    tls.push(...named.map((name) => ({ host: parseHost(name, 'wildcard'), certificate: read.id, because })))
  }
  return { certificates, tls, findings }
}

/** The listener of a host that Ingresses ask certificates for, oldest first: the first has it. */
export function settleTls(claims: readonly TlsClaim[]): {
  readonly listener?: ListenerModel
  readonly findings: Finding[]
} {
  const [first] = claims
  if (first === undefined) return { findings: [] }
  const listener = listenerFor(first.host, first.certificate, first.because)
  const others = claims.filter(({ certificate }) => certificate !== first.certificate)
  return { listener, findings: others.map(({ because, host }) => certificateTaken(listener, because, hostText(host))) }
}

/** Hosts with one certificate are one listener's: a connection that was made for one of them may be used for the others. */
function listenerFor(host: HostPattern, certificate: string, because: Because): ListenerModel {
  return { id: certificate, host, mode: 'http', certificates: [certificate], because }
}

function findCertificate(namespace: string, because: Because, secrets: Sources['secrets']): Certificate | Finding {
  const fail = (code: string, says: string, remedy: string): Finding => ({
    code,
    object: because.object,
    field: because.field,
    says: `${says}; the default certificate is served`,
    try: remedy,
  })
  const secret = secrets.get(`${namespace}/${because.value}`)
  if (secret?.type !== 'kubernetes.io/tls') {
    const says = `there is no TLS Secret "${because.value}" in ${namespace}`
    return fail('SecretMissing', says, `kubectl create secret tls ${because.value} -n ${namespace} --cert=… --key=…`)
  }
  const read = readCertificate(secret, because)
  return 'says' in read ? fail('SecretInvalid', read.says, read.try) : read
}

function certificateTaken(taken: ListenerModel, because: Because, name: string): Finding {
  return {
    code: 'CertificateTaken',
    object: because.object,
    field: because.field,
    says: `${name} is served with the certificate of ${taken.because.object} (${taken.because.value}) already`,
    try: 'name the same Secret in both, or take the host out of one',
  }
}
