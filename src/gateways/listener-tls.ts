import { readAuthorities, readCertificate } from './certificate.ts'
import { type FrontendTls, type Gateway, gatewayGroup, type Listener, type ObjectReference } from './gateway-api.ts'
import type { Authority, Because, Certificate, ClientValidation } from './model.ts'
import { completeReference, isPermitted, type Referrer } from './reference.ts'
import type { Sources } from './sources.ts'
import { type Verdict, verdict } from './verdict.ts'

/** The certificates of a listener that can be used, and what `ResolvedRefs` says about all that it names. */
export function resolveCertificates(
  listener: Listener,
  from: Referrer,
  because: Because,
  sources: Sources,
): { readonly certificates: readonly Certificate[]; readonly resolved: Verdict } {
  const references = listener.tls?.certificateRefs ?? []
  const certificates: Certificate[] = []
  let resolved = verdict(true, 'ResolvedRefs', 'all references are resolved')
  if (references.length === 0) resolved = verdict(false, 'InvalidCertificateRef', 'no certificate is named')
  for (const reference of references) {
    const read = resolveCertificate(reference, from, because, sources)
    if ('id' in read) certificates.push(read)
    else resolved = read.reason === 'RefNotPermitted' ? read : verdict(false, 'InvalidCertificateRef', read.message)
  }
  return { certificates, resolved }
}

/** A certificate by reference. The reason of a refusal is `RefNotPermitted` or `Invalid`. */
export function resolveCertificate(
  reference: ObjectReference,
  from: Referrer,
  because: Because,
  sources: Sources,
): Certificate | Verdict {
  const to = completeReference(reference, 'Secret', from.namespace)
  if (to.group !== '' || to.kind !== 'Secret')
    return verdict(false, 'Invalid', `${to.kind}.${to.group || 'core'} is no kind for certificates; name a Secret`)
  const key = `${to.namespace}/${to.name}`
  if (!isPermitted(from, to, sources.gatewayApi.grants))
    return verdict(
      false,
      'RefNotPermitted',
      `no ReferenceGrant in ${to.namespace} lets ${from.namespace} use secret/${key}`,
    )
  const secret = sources.secrets.get(key)
  if (secret?.type !== 'kubernetes.io/tls') return verdict(false, 'Invalid', `there is no TLS Secret ${key}`)
  const read = readCertificate(secret, { ...because, value: key })
  return 'says' in read ? verdict(false, 'Invalid', `${read.says}; ${read.try}`) : read
}

export interface ResolvedValidation {
  readonly validation?: ClientValidation & { readonly bundle: Authority }
  /** About what is referred to, and about the listener as a whole. */
  readonly resolved?: Verdict
  readonly accepted?: Verdict
}

/** Whose certificates clients must show at a port of a Gateway; empty where none is asked for. */
export function resolveValidation(gateway: Gateway, port: number, sources: Sources): ResolvedValidation {
  const frontend = gateway.spec?.tls?.frontend
  const perPort: FrontendTls | undefined = frontend?.perPort?.find((one) => one.port === port)?.tls
  const wanted = (perPort ?? frontend?.default)?.validation
  if (wanted === undefined) return {}
  const namespace = gateway.metadata.namespace ?? ''
  const bundles: string[] = []
  let resolved: Verdict | undefined
  for (const reference of wanted.caCertificateRefs ?? []) {
    const read = resolveAuthority(reference, { group: gatewayGroup, kind: 'Gateway', namespace }, sources)
    if ('pem' in read) bundles.push(read.pem)
    else resolved = read
  }
  if (bundles.length === 0) {
    const accepted = verdict(false, 'NoValidCACertificate', 'no certificate of an authority can be used')
    return { accepted, resolved: resolved ?? verdict(false, 'InvalidCACertificateRef', 'none is named') }
  }
  const id = `clients:${namespace}:${gateway.metadata.name}:${perPort === undefined ? 'default' : port}`
  const mode = wanted.mode === 'AllowInsecureFallback' ? 'optional' : 'required'
  const bundle = { id, pem: mergeBundles(bundles) }
  return { validation: { authority: id, mode, bundle }, ...(resolved && { resolved }) }
}

/** A bundle of authorities by reference: `ca.crt` of a ConfigMap or a Secret. */
export function resolveAuthority(
  reference: ObjectReference,
  from: Referrer,
  sources: Sources,
): { readonly pem: string } | Verdict {
  const to = completeReference(reference, 'ConfigMap', from.namespace)
  if (to.group !== '' || (to.kind !== 'ConfigMap' && to.kind !== 'Secret'))
    return verdict(false, 'InvalidCACertificateKind', `${to.kind} is no kind for authorities; name a ConfigMap`)
  const name = `${to.kind.toLowerCase()}/${to.namespace}/${to.name}`
  if (!isPermitted(from, to, sources.gatewayApi.grants))
    return verdict(false, 'RefNotPermitted', `no ReferenceGrant in ${to.namespace} lets ${from.namespace} use ${name}`)
  const key = `${to.namespace}/${to.name}`
  const object = to.kind === 'ConfigMap' ? sources.configMaps.get(key) : sources.secrets.get(key)
  if (object === undefined) return verdict(false, 'InvalidCACertificateRef', `there is no ${name}`)
  const read = readAuthorities(object, name)
  return 'says' in read ? verdict(false, 'InvalidCACertificateRef', `${read.says}; ${read.try}`) : read
}

/** Bundles as one, each certificate once. */
export function mergeBundles(bundles: readonly string[]): string {
  const blocks = bundles.flatMap((pem) => pem.split(/(?<=-----END CERTIFICATE-----\n)/).filter(Boolean))
  return [...new Set(blocks)].join('')
}
