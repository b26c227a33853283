import type { Because, Finding } from '../cluster/index.ts'
import type { HostPattern } from './host.ts'
import type { BackendModel, ClientLimits } from './model-backends.ts'
import type { Filter } from './model-filters.ts'

export type * from './model-backends.ts'
export type * from './model-filters.ts'
export type { Because, Finding }

/** What everything that comes in from outside means, of Ingresses and of the Gateway API alike, the same on every node. */
export interface GatewayModel {
  /** Whether any object asks for a gateway; without one nothing listens. */
  readonly wanted: boolean
  /** Unique by id and by port. */
  readonly entrances: readonly Entrance[]
  /** The backends that routes lead to, unique by id. */
  readonly backends: readonly BackendModel[]
  readonly certificates: readonly Certificate[]
  readonly authorities: readonly Authority[]
  readonly userLists: readonly UserList[]
  readonly findings: readonly Finding[]
}

/** A port of every node at which the gateway listens. */
export interface Entrance {
  /** `http` and `https` are those of Ingresses; a Gateway's are `namespace:gateway:port`. */
  readonly id: string
  /** What is bound. */
  readonly port: number
  /** What clients connect to: the port of the listener. */
  readonly shownPort: number
  /** UDP is none of HAProxy's: nodes forward it themselves. */
  readonly protocol: 'HTTP' | 'TLS' | 'TCP' | 'UDP'
  /** What `*.` stands for in the hosts of this entrance. */
  readonly star: 'wildcard' | 'suffix'
  /** By which names a connection or request is told apart, unique by host. */
  readonly listeners: readonly ListenerModel[]
  /** HTTP routes by host, unique by host. */
  readonly tiers: readonly HostTier[]
  /** Streams of bytes: TCP, and TLS by SNI; unique by host. */
  readonly streams: readonly StreamRoute[]
  readonly clientValidation?: ClientValidation
  /** Prefixes as text whose connections begin with a header of the PROXY protocol. */
  readonly trustedProxies?: readonly string[]
  /** Of all that comes in, beside those of its routes. */
  readonly limits?: ClientLimits
  readonly because: Because
}

/** One name of an entrance. A request whose Host belongs to another one than its SNI is misdirected. */
export interface ListenerModel {
  readonly id: string
  readonly host: HostPattern
  /** `http`: requests are routed (after TLS where the entrance has it); `terminate`: bytes are, after TLS; `passthrough`: TLS stays. */
  readonly mode: 'http' | 'terminate' | 'passthrough'
  /** Ids of certificates, the first is the one for all names of the host. */
  readonly certificates: readonly string[]
  /** Clients are asked for a certificate of this authority, and come in without: filters of routes say who goes on (`client-certificate`). */
  readonly clientAuthority?: string
  readonly because: Because
}

/** Whose certificate clients must show (Gateway `spec.tls.frontend`). */
export interface ClientValidation {
  readonly authority: string
  /** `optional`: connections with no or a wrong certificate are served all the same (AllowInsecureFallback). */
  readonly mode: 'required' | 'optional'
}

/** How many tiers a request is compared with at most: its own, and the next less specific ones. */
export const mostTiers = 6

/** What requests for a host meet: its rules, the first that matches wins, then those of `parent`. */
export interface HostTier {
  readonly listener: string
  readonly host: HostPattern
  /** In the order of precedence. */
  readonly rules: readonly HttpRule[]
  /** A less specific tier of the same listener. */
  readonly parent?: HostPattern
}

export interface HttpRule {
  readonly path: PathPattern
  readonly method?: string
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
  readonly action: HttpAction
  /** The path, match or default backend that says so. */
  readonly because: Because
}

/** A prefix is one by elements, and without a slash at its end; `` is the prefix of everything. A regex matches the whole path. */
export interface PathPattern {
  readonly kind: 'exact' | 'prefix' | 'regex'
  readonly value: string
}

/** A header (name in lower case) or a query parameter; a regex matches the whole value. */
export interface ValueMatch {
  readonly name: string
  readonly kind: 'exact' | 'regex'
  readonly value: string
}

/** What becomes of requests that a rule takes. Shared by all matches of a rule. */
export interface HttpAction {
  /** Unique; what logs call the route: `ingress/NAMESPACE/NAME`, `httproute/NAMESPACE/NAME/RULE`. */
  readonly id: string
  readonly filters: readonly Filter[]
  /** Empty when the filters answer. */
  readonly targets: readonly WeightedTarget[]
  /** For the whole answer to begin. */
  readonly timeoutMs?: number
}

export interface WeightedTarget {
  readonly weight: number
  readonly target: Target
  readonly filters: readonly Filter[]
}

export type Target =
  | { readonly kind: 'backend'; readonly id: string }
  /** The backend cannot be: requests get 500. */
  | { readonly kind: 'broken'; readonly because: Because; readonly says: string }

/** Bytes for a name (SNI), or all of a TCP port. */
export interface StreamRoute {
  readonly host: HostPattern
  readonly listener: string
  readonly mode: 'tcp' | 'udp' | 'terminate' | 'passthrough'
  readonly action: { readonly id: string; readonly targets: readonly WeightedTarget[] }
  readonly because: Because
}

export interface Certificate {
  /** `namespace:secret` */
  readonly id: string
  /** Chain and key in PEM. */
  readonly pem: string
  /** Names of the leaf, lower case. */
  readonly names: readonly string[]
  /** Why the Secret as it is now is not this one. */
  readonly fault?: { readonly says: string; readonly try: string }
  readonly staple?: Staple
  /** Why the Secret's own cannot be shown. */
  readonly stapleFault?: string
  readonly because: Because
}

/** What an OCSP responder said of a certificate, shown to clients with it. */
export interface Staple {
  /** DER in base64. */
  readonly response: string
  /** PEM: HAProxy wants to know of whose certificate it is. */
  readonly issuer: string
  readonly expiresMs: number
}

/** Names and hashes of passwords as htpasswd has them. */
export interface UserList {
  readonly id: string
  readonly users: readonly (readonly [name: string, hash: string])[]
}

/** Certificates of authorities in PEM. */
export interface Authority {
  readonly id: string
  readonly pem: string
}
