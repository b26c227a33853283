import { GatewayApi } from './gateways.ts'
import { Ingresses } from './ingress-compile.ts'
import { Ledger, turnSources } from './ledger.ts'
import type { Certificate, Finding, GatewayModel } from './model.ts'
import { Offers } from './offers.ts'
import type { Sources } from './sources.ts'

const usualPorts = { http: 80, https: 443 }

/** What all Ingresses and Gateways of our classes mean together. Total: whatever is wrong with one becomes a finding and the rest is served. */
export function compileGateways(sources: Sources, ports = usualPorts): GatewayModel {
  return new Gateways().compile(sources, ports)
}

/** The same, asked again and again: costs as much as what has changed, and what says the same is the same object as before. */
export class Gateways {
  readonly #ledger = new Ledger()
  readonly #offers = new Offers()
  readonly #ingresses = new Ingresses(this.#ledger, this.#offers)
  readonly #api = new GatewayApi(this.#ledger, this.#offers)

  compile(sources: Sources, ports = usualPorts): GatewayModel {
    turnSources(this.#ledger, sources)
    const ingresses = this.#ingresses.update(sources, ports)
    const api = this.#api.update(sources)
    const entrances = [...ingresses.entrances, ...api.entrances]
    const { backends, authorities, userLists } = this.#offers
    const certificates = joined(this.#offers.certificates.list(), api.certificates)
    return {
      wanted: entrances.length > 0,
      entrances,
      backends: backends.list(),
      certificates,
      authorities: joined(authorities.list(), api.authorities),
      userLists: userLists.list(),
      findings: [...ingresses.findings, ...api.findings, ...certificates.flatMap(findingsOf)],
    }
  }

  /** Whether what was compiled last depends on an object: a Secret or a ConfigMap that nobody speaks of changes nothing. Slices go by their Service. */
  isRead(kind: 'secrets' | 'configMaps' | 'namespaces' | 'slices', key: string): boolean {
    return this.#ledger.isRead(kind, key)
  }
}

/** Each once by id. */
function joined<T extends { readonly id: string }>(some: readonly T[], more: readonly T[]): readonly T[] {
  if (more.length === 0) return some
  return [...new Map([...some, ...more].map((one) => [one.id, one])).values()]
}

function findingsOf({ id, because: { object, field }, fault, stapleFault }: Certificate): readonly Finding[] {
  if (fault === undefined && stapleFault === undefined) return none
  const kept = fault && { ...fault, says: `${fault.says}; the certificate before goes on` }
  const staple = stapleFault && {
    says: `tls.ocsp-staple of secret/${id.replace(':', '/')} is not shown to clients: ${stapleFault}`,
    try: 'store a response in DER of the responder for this certificate, or take the key away',
  }
  return [
    ...(kept ? [{ code: 'SecretInvalid', object, field, ...kept }] : []),
    ...(staple ? [{ code: 'StapleInvalid', object, field, ...staple }] : []),
  ]
}

const none: readonly Finding[] = []
