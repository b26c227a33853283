import { readCertificate } from './certificate.ts'
import { type HostPattern, hostText, parseHost } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import type { Because, Certificate, Finding, ListenerModel } from './model.ts'
import type { Sources } from './sources.ts'

interface IngressTls {
  readonly certificates: readonly Certificate[]
  /** One for each TLS host, and one for all others, which get the default certificate. */
  readonly listeners: readonly ListenerModel[]
  readonly findings: readonly Finding[]
}

/** The certificates that Ingresses ask for, oldest first, and the hosts that each is for. A host without a usable one gets the default. */
export function compileTls(ingresses: readonly Ingress[], secrets: Sources['secrets']): IngressTls {
  const certificates = new Map<string, Certificate>()
  const listeners = new Map<string, ListenerModel>()
  const findings: Finding[] = []
  const anyBecause = { object: 'ingress', field: 'spec.tls', value: '' }
  for (const ingress of ingresses) {
    for (const [at, { hosts = [], secretName }] of (ingress.spec?.tls ?? []).entries()) {
      // Without a secret only passthrough or the default certificate can be meant.
      if (!secretName) continue
      const because = { object: objectOf(ingress), field: `spec.tls[${at}].secretName`, value: secretName }
      const read = findCertificate(ingress.metadata.namespace ?? '', because, secrets)
      if ('code' in read) {
        findings.push(read)
        continue
      }
      certificates.set(read.id, read)
      const named = hosts.length > 0 ? hosts : (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? [])
      for (const name of named) {
        const host = parseHost(name, 'wildcard')
        const taken = listeners.get(hostText(host))
        if (taken === undefined) listeners.set(hostText(host), listenerFor(host, read.id, because))
        else if (taken.id !== read.id) findings.push(certificateTaken(taken, because, name))
      }
    }
  }
  const rest: ListenerModel = { id: '', host: { kind: 'any' }, mode: 'http', certificates: [], because: anyBecause }
  if (!listeners.has('*')) listeners.set('*', rest)
  return { certificates: [...certificates.values()], listeners: [...listeners.values()], findings }
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
