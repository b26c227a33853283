import { createHash } from 'node:crypto'
import { type ObjectKey, splitKey } from '../cluster/index.ts'
import { findPort, protocolOf } from './backend.ts'
import type { Policies, PolicyState } from './backend-tls.ts'
import { type BackendReference, gatewayGroup } from './gateway-api.ts'
import type { Authority, BackendModel, BackendTls, Because, Certificate, Target } from './model.ts'
import { proxyProtocolOf } from './proxy-protocol.ts'
import { completeReference, isPermitted } from './reference.ts'
import type { Sources } from './sources.ts'
import { type Verdict, verdict } from './verdict.ts'

/** Who refers to a backend, and what is particular about how it is spoken to. */
export interface Referring {
  readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute' | 'UDPRoute'
  readonly namespace: string
  readonly gateway: ObjectKey
  /** What the Gateway shows to pods that ask for a certificate. */
  readonly clientCertificate?: Certificate
  readonly retry?: BackendModel['retry']
  readonly persistence?: BackendModel['persistence']
  readonly limits?: BackendModel['limits']
}

/** What the references of a route lead to. */
export class Backends {
  readonly backends = new Map<string, BackendModel>()
  readonly authorities = new Map<string, Authority>()
  readonly certificates = new Map<string, Certificate>()
  /** Those that speak of a Service that requests are sent to. */
  readonly policies = new Set<PolicyState>()
  readonly #sources: Sources
  readonly #policies: Pick<Policies, 'byTarget' | 'byService'>

  constructor(sources: Sources, policies: Pick<Policies, 'byTarget' | 'byService'>) {
    this.#sources = sources
    this.#policies = policies
  }

  /** Where a reference of a route leads, and why it leads nowhere. */
  resolve(reference: BackendReference, from: Referring, because: Because): { target: Target; refused?: Verdict } {
    const refuse = (reason: string, says: string) => ({
      target: { kind: 'broken', because, says } as const,
      refused: verdict(false, reason, says),
    })
    const to = completeReference(reference, 'Service', from.namespace)
    if (to.group !== '' || to.kind !== 'Service')
      return refuse('InvalidKind', `${to.kind}.${to.group || 'core'} cannot be a backend; name a Service`)
    const key = `${to.namespace}/${to.name}`
    if (
      to.namespace !== from.namespace &&
      !isPermitted({ group: gatewayGroup, ...from }, to, this.#sources.gatewayApi.grants)
    )
      return refuse(
        'RefNotPermitted',
        `no ReferenceGrant in ${to.namespace} lets ${from.kind}s of ${from.namespace} use service/${key}`,
      )
    const service = this.#sources.services.get(key)
    if (service === undefined) return refuse('BackendNotFound', `there is no service/${key}`)
    if (service.spec.type === 'ExternalName')
      return refuse('BackendNotFound', `service/${key} is an ExternalName, which has no endpoints`)
    const port =
      from.kind === 'UDPRoute'
        ? findUdpPort(service, reference.port)
        : findPort(service, { number: reference.port ?? 0 })
    if (port === undefined)
      return refuse('BackendNotFound', `service/${key} has no port ${reference.port ?? '(none is named)'}`)
    const isHttp = from.kind === 'HTTPRoute' || from.kind === 'GRPCRoute'
    const all = (isHttp && this.#policies.byService.get(key)) || []
    for (const one of all) this.policies.add(one)
    const { byTarget } = this.#policies
    const policy = all.length === 0 ? undefined : (byTarget.get(`${key}:${port.name}`) ?? byTarget.get(key))
    if (policy !== undefined) {
      // Nothing may be sent to somebody whose name cannot be checked.
      if (policy.tls === undefined)
        return {
          target: {
            kind: 'broken',
            because,
            says: `its BackendTLSPolicy cannot be followed: ${policy.accepted.message}`,
          },
        }
      if (policy.bundle !== undefined) this.authorities.set(policy.bundle.id, policy.bundle)
    }
    const own = policy?.tls
    const tls: BackendTls | undefined = own && {
      ...own,
      ...(from.clientCertificate && { clientCertificate: from.clientCertificate.id }),
    }
    if (tls?.clientCertificate !== undefined) this.certificates.set(tls.clientCertificate, from.clientCertificate!)
    const stream = from.kind === 'UDPRoute' ? 'udp' : 'tcp'
    const protocol = !isHttp ? stream : from.kind === 'GRPCRoute' ? 'h2c' : protocolOf(port.appProtocol)
    const { retry, persistence, limits } = from
    const particular = {
      ...(tls && { tls }),
      ...(retry && { retry }),
      ...(persistence && { persistence }),
      ...(limits && { limits }),
      ...proxyProtocolOf(service),
    }
    const { namespace, name } = splitKey(key)
    const id = `${namespace}:${name}:${port.port}${variantOf(protocol, port.appProtocol, particular)}`
    if (!this.backends.has(id))
      this.backends.set(id, { id, service: key, portName: port.name ?? '', protocol, ...particular, because })
    return { target: { kind: 'backend', id } }
  }
}

/** What tells apart backends of one Service port that are spoken to in different ways. */
export function variantOf(
  protocol: BackendModel['protocol'],
  appProtocol: string | undefined,
  particular: object,
): string {
  const spoken = protocol === protocolOf(appProtocol) ? '' : `.${protocol}`
  if (Object.keys(particular).length === 0) return spoken
  return `${spoken}.${createHash('sha256').update(JSON.stringify(particular)).digest('hex').slice(0, 8)}`
}

function findUdpPort(service: Parameters<typeof findPort>[0], number: number | undefined) {
  return (service.spec.ports ?? []).find(({ port, protocol }) => protocol === 'UDP' && port === number)
}
