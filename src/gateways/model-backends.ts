import type { Address } from '../addr/index.ts'
import type { Because, ObjectKey } from '../cluster/index.ts'

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
