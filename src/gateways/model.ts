import type { Address } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'
import type { HostPattern } from './host.ts'

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

export interface HeaderChange {
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
  readonly remove: readonly string[]
}

/** How a path becomes another; `prefix` is the part of the rule's match that is replaced. */
export type PathChange =
  | { readonly kind: 'full'; readonly path: string }
  | { readonly kind: 'prefix'; readonly prefix: string; readonly path: string }
  /** What the pattern matches becomes `path`, in which `\\1` is its first group. */
  | { readonly kind: 'regex'; readonly pattern: string; readonly path: string }

/** What a default backend is told of who should have answered: the Ingress, and the Service as that names it. */
export interface Failed {
  readonly namespace: string
  readonly ingress: string
  readonly service: string
  readonly port: string
}

/** In `to` of a location, `$host` and `$scheme` are those of the request. */
export interface Replacement {
  readonly from: string
  readonly to: string
}

export type Filter =
  | { readonly kind: 'request-headers'; readonly change: HeaderChange }
  | { readonly kind: 'response-headers'; readonly change: HeaderChange }
  | {
      readonly kind: 'redirect'
      readonly status: number
      readonly scheme?: string
      readonly host?: string
      readonly port?: number
      readonly path?: PathChange
    }
  | { readonly kind: 'rewrite'; readonly host?: string; readonly path?: PathChange }
  /** Clients of other addresses get 403; without `allow` all that are not denied may come. Prefixes as text. */
  | {
      readonly kind: 'sources'
      readonly allow: readonly string[]
      readonly deny: readonly string[]
      /** Clients of allowed addresses need no other proof, and all others do. */
      readonly isEnough?: true
    }
  /** Who made the connection with no right certificate gets 400; by HTTP all are redirected to HTTPS. */
  | {
      readonly kind: 'client-certificate'
      /** The one by which it was judged when the connection was made. */
      readonly authority: string
      /** `optional`: a wrong one is refused, none is not; `unverified`: one of an unknown authority is not either; `off`: pods are told that there is none. */
      readonly mode: 'required' | 'optional' | 'unverified' | 'off'
      /** Certificates between that of the client and that of the authority, at most. */
      readonly depth: number
      /** What `CN=` and the common name match as a whole; others get 403. */
      readonly commonName?: string
      /** Where those are redirected to who would get 400. */
      readonly errorPage?: string
      /** Whether pods get the certificate, in the header `ssl-client-cert`. */
      readonly passes: boolean
    }
  /** Who shows no name and password of the list gets 401. */
  | { readonly kind: 'basic-auth'; readonly realm: string; readonly users: string }
  /** A backend is asked whether a request may pass: 2xx lets it, 401 and 403 are handed on, everything else is 500. */
  | {
      readonly kind: 'external-auth'
      readonly backend: string
      readonly host: string
      readonly path: string
      readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
      /** Where those are redirected to who would get 401, with the URL that they asked for as a parameter. */
      readonly signIn?: string
      readonly signInParameter: string
      /** Of the answer, that go on with the request. */
      readonly headers: readonly string[]
      /** Set in the question. */
      readonly sent?: readonly (readonly [name: string, value: string])[]
    }
  /** A backend is asked as the client asked, without the body (GEP-1494): 200 lets a request pass, 3xx and 4xx are handed on whole, everything else is 403. */
  | {
      readonly kind: 'external-check'
      readonly backend: string
      /** In front of the path. */
      readonly prefix: string
      /** Of the request, that are sent beside Host and Authorization, in lower case. */
      readonly sent: readonly string[]
      /** Of the answer, that go on with the request, in lower case; empty for all. */
      readonly headers: readonly string[]
    }
  | {
      readonly kind: 'mirror'
      readonly backend: string
      readonly numerator: number
      readonly denominator: number
      /** That of the request unless told. */
      readonly host?: string
      readonly isBodiless?: true
    }
  /** What pods say of their own address: the beginning of `location`, domains and the beginnings of paths of cookies. */
  | {
      readonly kind: 'answers'
      readonly location?: Replacement
      readonly domain?: Replacement
      readonly path?: Replacement
    }
  /** Requests that go to a default backend: it is told of it. */
  | { readonly kind: 'failed'; readonly code: number; readonly of: Failed }
  /** Answers of pods with one of the codes become those of a backend, which is asked with the client's method and no body. */
  | { readonly kind: 'errors'; readonly codes: readonly number[]; readonly backend: string; readonly of: Failed }
  | {
      readonly kind: 'cors'
      readonly origins: readonly string[]
      readonly methods: readonly string[]
      readonly headers: readonly string[]
      readonly expose: readonly string[]
      readonly credentials: boolean
      readonly maxAgeSeconds: number
    }

/** Bytes for a name (SNI), or all of a TCP port. */
export interface StreamRoute {
  readonly host: HostPattern
  readonly listener: string
  readonly mode: 'tcp' | 'udp' | 'terminate' | 'passthrough'
  readonly action: { readonly id: string; readonly targets: readonly WeightedTarget[] }
  readonly because: Because
}

/** One port of one Service, as servers, with what is particular about how they are spoken to. */
export interface BackendModel {
  /** `namespace:service:port`, and what sets a variant apart; no part can have a colon. */
  readonly id: string
  readonly service: ObjectKey
  /** `spec.ports[].name` of the Service: ports of slices have the same. */
  readonly portName: string
  readonly protocol: 'http1' | 'h2c' | 'tcp' | 'udp'
  readonly tls?: BackendTls
  readonly retry?: {
    readonly attempts: number
    readonly codes: readonly number[]
    /** Whether a POST that was sent is not sent again. */
    readonly sparesPost?: boolean
  }
  /** How a pod is chosen; in turn unless told. */
  readonly balance?: Balance
  /** For a pod to accept a connection. */
  readonly connectTimeoutMs?: number
  readonly limits?: ClientLimits
  /** Requests go to the address of the Service, not to those of its pods. */
  readonly viaService?: true
  /** How pods are told who the client is, before anything else. */
  readonly proxyProtocol?: 'v1' | 'v2'
  /** Requests with a longer body get 413. */
  readonly mostBodyBytes?: number
  /** Requests of a session go to the pod that had its first. */
  readonly persistence?: {
    readonly kind: 'cookie' | 'header'
    readonly name: string
    /** Of a permanent cookie. */
    readonly maxAgeSeconds?: number
    /** Of the cookie; the whole host, SameSite=Lax, and by HTTP too unless told. */
    readonly path?: string
    readonly domain?: string
    readonly sameSite?: string
    readonly isSecure?: true
  }
  readonly because: Because
}

/** The pod with the fewest requests under way, or always the same for what is equal, as long as pods stay the same. */
export type Balance =
  | { readonly kind: 'fewest' }
  | { readonly kind: 'hash'; readonly by: 'uri' | 'path' | 'client' | 'host' }
  | { readonly kind: 'hash'; readonly by: 'header' | 'cookie' | 'query'; readonly name: string }

/** How much a client's address may have of all entrances, or of all backends, with the same id. */
export interface ClientLimits {
  readonly id: string
  /** Requests in the long run; `burst` times as many more may come at once. */
  readonly perSecond?: number
  readonly perMinute?: number
  readonly burst: number
  /** Requests under way. */
  readonly connections?: number
  /** Prefixes as text whose clients are not counted. */
  readonly except: readonly string[]
}

/** TLS to pods (BackendTLSPolicy). */
export interface BackendTls {
  /** Sent as SNI, and what the certificate must be for unless `names` is given. */
  readonly host: string
  /** The id of an authority, or the system's; `unchecked` takes any certificate. */
  readonly authority: string | 'system' | 'unchecked'
  /** Id of the certificate that the gateway shows (Gateway `spec.tls.backend`). */
  readonly clientCertificate?: string
  /** One of these must be in the certificate (`subjectAltNames`). */
  readonly names: readonly { readonly kind: 'host' | 'uri'; readonly value: string }[]
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
