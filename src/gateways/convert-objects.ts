import type { KubeObject, Service } from '../objects/index.ts'
import { findPort } from './backend.ts'
import type { BackendReference, HTTPRouteRule, Listener, ParentReference } from './gateway-api.ts'
import { gatewayGroup } from './gateway-api.ts'
import { type HostPattern, hostText } from './host.ts'
import { type Ingress, objectOf } from './ingress.ts'
import type { Claim } from './ingress-claims.ts'
import type { Finding } from './model.ts'
import type { Lookup } from './sources.ts'

/** The Gateway that is to serve instead. */
export interface ConvertTo {
  readonly namespace: string
  readonly name: string
  readonly gatewayClass: string
}

/** `changed`: carried over, and means something else; `lost`: left out. */
export interface Note extends Finding {
  readonly kind: 'changed' | 'lost'
}

export interface Conversion {
  readonly objects: readonly KubeObject[]
  readonly notes: readonly Note[]
}

const apiVersion = `${gatewayGroup}/v1`
/** HTTPRoute `spec.rules` and Gateway `spec.listeners` take no more. */
const mostRules = 16
const mostListeners = 64

/** The objects that Ingresses become, as far as they have. */
export class Converted {
  readonly #to: ConvertTo
  readonly #listeners: Listener[] = [{ name: 'http', port: 80, protocol: 'HTTP' }]
  readonly #objects: KubeObject[] = []
  readonly #names = new Set<string>()
  readonly #namespaces = new Set<string>()
  readonly #secrets = new Map<string, Set<string>>()
  readonly #policies = new Set<string>()
  readonly #notes = new Map<string, Note>()

  constructor(to: ConvertTo) {
    this.#to = to
  }

  /** Each is told once. */
  note(note: Note): void {
    this.#notes.set(`${note.code} ${note.object} ${note.field} ${note.says}`, note)
  }

  /** A listener for a host with a certificate; answers its name. */
  addHttps(host: string, namespace: string, secret: string): string {
    const isOwn = namespace === this.#to.namespace
    if (!isOwn) this.#secrets.set(namespace, (this.#secrets.get(namespace) ?? new Set()).add(secret))
    const name = this.#nameOf('listener', 'https', host)
    const reference = { name: secret, ...(isOwn ? {} : { namespace }) }
    const tls = { mode: 'Terminate', certificateRefs: [reference] }
    this.#listeners.push({ name, ...(host === '*' ? {} : { hostname: host }), port: 443, protocol: 'HTTPS', tls })
    return name
  }

  addPassthrough(ingress: Ingress, host: string, backendRefs: BackendReference[]): void {
    const name = this.#nameOf('listener', 'tls', host)
    const hostname = host === '*' ? {} : { hostname: host }
    this.#listeners.push({ name, ...hostname, port: 443, protocol: 'TLS', tls: { mode: 'Passthrough' } })
    const hostnames = host === '*' ? {} : { hostnames: [host] }
    this.#addRoute('TLSRoute', ingress, host, [name], { ...hostnames, rules: [{ backendRefs }] })
  }

  addHttpRoutes(ingress: Ingress, host: HostPattern, sections: string[], rules: readonly HTTPRouteRule[]): void {
    const hostnames = host.kind === 'any' ? {} : { hostnames: [hostText(host)] }
    for (let at = 0; at < rules.length; at += mostRules)
      this.#addRoute('HTTPRoute', ingress, hostText(host), sections, {
        ...hostnames,
        rules: rules.slice(at, at + mostRules),
      })
  }

  #addRoute(kind: string, ingress: Ingress, host: string, sections: readonly string[], spec: object): void {
    const { namespace = '', name } = ingress.metadata
    this.#namespaces.add(namespace)
    const parent: ParentReference = { name: this.#to.name }
    const foreign = namespace === this.#to.namespace ? {} : { namespace: this.#to.namespace }
    const parentRefs = sections.map((sectionName) => ({ ...parent, ...foreign, sectionName }))
    const metadata = { name: this.#nameOf(`${kind} ${namespace}`, name, host), namespace }
    this.#objects.push({ apiVersion, kind, metadata, spec: { parentRefs, ...spec } } as KubeObject)
  }

  /** The backends of a claim with their ports as numbers; undefined when one cannot be named, which is told. */
  backendRefs({ backends, ingress, because }: Claim, services: Lookup<Service>): BackendReference[] | undefined {
    const lost = (says: string, remedy: string): undefined => {
      const { object, field } = because
      this.note({ kind: 'lost', code: 'BackendNotConverted', object, field, says, try: remedy })
    }
    const references: BackendReference[] = []
    for (const { weight, backend } of backends) {
      const { service, resource } = backend
      if (service === undefined)
        return lost(`a ${resource?.kind ?? 'missing'} backend has no counterpart`, 'name a Service')
      const found = services.get(`${ingress.metadata.namespace}/${service.name}`)
      const port = service.port?.number ?? (found && findPort(found, service.port)?.port)
      if (port === undefined)
        return lost(
          `port "${service.port?.name}" of service/${service.name} has no known number`,
          'give the Service with the Ingress, or name the port by number',
        )
      references.push({ name: service.name, port, ...(backends.length > 1 && { weight }) })
    }
    return references
  }

  /** A BackendTLSPolicy for a Service, whose authority somebody has to provide. */
  addPolicy(ingress: Ingress, service: string, hostname: string): void {
    const { namespace = '' } = ingress.metadata
    const key = `${namespace}/${service}`
    if (this.#policies.has(key)) return
    this.#policies.add(key)
    const spec = {
      targetRefs: [{ group: '', kind: 'Service', name: service }],
      validation: { hostname, caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: `${service}-ca` }] },
    }
    const metadata = { name: service, namespace }
    this.#objects.push({ apiVersion, kind: 'BackendTLSPolicy', metadata, spec } as KubeObject)
    this.note({
      kind: 'changed',
      code: 'CertificatesChecked',
      object: objectOf(ingress),
      field: 'metadata.annotations',
      says: `pods of service/${service} are spoken to by TLS and their certificate was not checked; now it has to be for ${hostname}`,
      try: `kubectl create configmap ${service}-ca -n ${namespace} --from-file=ca.crt`,
    })
  }

  finish(): Conversion {
    const { namespace, name, gatewayClass } = this.#to
    if (this.#listeners.length > mostListeners) {
      const says = `${this.#listeners.length} listeners are more than the ${mostListeners} that a Gateway may have`
      const remedy = 'move some to ListenerSets, or give them certificates for wildcards'
      this.note({
        kind: 'lost',
        code: 'TooManyListeners',
        object: `gateway/${namespace}/${name}`,
        field: 'spec.listeners',
        says,
        try: remedy,
      })
    }
    const others = [...this.#namespaces].filter((one) => one !== namespace).sort()
    const selector = {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace, ...others] }],
    }
    const allowed = others.length === 0 ? {} : { allowedRoutes: { namespaces: { from: 'Selector', selector } } }
    const listeners = this.#listeners.map((listener) => ({ ...listener, ...allowed }))
    const spec = { gatewayClassName: gatewayClass, listeners }
    const gateway = { apiVersion, kind: 'Gateway', metadata: { name, namespace }, spec } as KubeObject
    const objects = this.#objects.length === 0 ? [] : [gateway, ...this.#grants(), ...this.#objects]
    return { objects, notes: [...this.#notes.values()] }
  }

  #grants(): KubeObject[] {
    const { namespace, name } = this.#to
    return [...this.#secrets].map(([owner, secrets]) => {
      const from = [{ group: gatewayGroup, kind: 'Gateway', namespace }]
      const to = [...secrets].sort().map((secret) => ({ group: '', kind: 'Secret', name: secret }))
      const metadata = { name: `${name}-certificates`, namespace: owner }
      return { apiVersion, kind: 'ReferenceGrant', metadata, spec: { from, to } } as KubeObject
    })
  }

  /** A name that nothing of the kind has: DNS labels of at most 63 characters. */
  #nameOf(kind: string, base: string, host: string): string {
    const slug = `${base}-${host.replace('*', 'any')}`
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 55)
      .replace(/-+$/, '')
    for (let number = 1; ; number++) {
      const name = number === 1 ? slug : `${slug}-${number}`
      if (this.#names.has(`${kind} ${name}`)) continue
      this.#names.add(`${kind} ${name}`)
      return name
    }
  }
}
