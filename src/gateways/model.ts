import type { Address } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'

export type { Because, Finding }

/** What everything that comes in from outside by HTTP means, the same on every node. */
export interface GatewayModel {
  /** Whether any object asks for a gateway; without one nothing listens. */
  readonly wanted: boolean
  /** Unique by host and path. */
  readonly routes: readonly Route[]
  /** The backends that routes lead to, unique by id. */
  readonly backends: readonly BackendModel[]
  readonly certificates: readonly Certificate[]
  /** Which certificate a TLS host is served with, unique by host. */
  readonly tlsHosts: readonly TlsHost[]
  readonly findings: readonly Finding[]
}

/** A request whose host and path fit goes to the target; of several, the more specific host wins, then the longer path, then Exact. */
export interface Route {
  readonly host: HostPattern
  readonly path: PathPattern
  readonly target: Target
  /** The path or default backend that says so. */
  readonly because: Because
}

/** `wildcard`: one label in front of `name` (networking/v1 IngressRule.Host). Names are in lower case. */
export type HostPattern =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'wildcard'; readonly name: string }
  | { readonly kind: 'any' }

/** A prefix is one by elements, and without a slash at its end; `` is the prefix of everything. */
export type PathPattern =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }

export type Target =
  | { readonly kind: 'backend'; readonly id: string }
  /** The backend cannot be: requests get 500. */
  | { readonly kind: 'broken'; readonly because: Because; readonly says: string }

/** One port of one Service, as servers. */
export interface BackendModel {
  /** `namespace:service:port`; no part can have a colon. */
  readonly id: string
  readonly service: ObjectKey
  /** `spec.ports[].name` of the Service: ports of slices have the same. */
  readonly portName: string
  readonly protocol: 'http1' | 'h2c'
  readonly because: Because
}

/** A pod that a backend's requests go to. */
export interface ServerModel {
  readonly address: Address
  readonly port: number
  readonly because: Because
}

export interface Certificate {
  /** `namespace:secret` */
  readonly id: string
  /** Chain and key in PEM. */
  readonly pem: string
  readonly because: Because
}

export interface TlsHost {
  readonly host: HostPattern
  readonly certificate: string
  readonly because: Because
}

/** `example.com`, `*.example.com` or `*`. */
export function hostText(host: HostPattern): string {
  switch (host.kind) {
    case 'exact':
      return host.name
    case 'wildcard':
      return `*.${host.name}`
    case 'any':
      return '*'
    default:
      return host satisfies never
  }
}

/** Reads a host of an object; nothing means any. */
export function parseHost(text = ''): HostPattern {
  const name = text.toLowerCase()
  if (name === '') return { kind: 'any' }
  return name.startsWith('*.') ? { kind: 'wildcard', name: name.slice(2) } : { kind: 'exact', name }
}
