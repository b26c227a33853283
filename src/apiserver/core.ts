import type { IncomingHttpHeaders } from 'node:http'
import type { AdmissionPlans } from './admission-plan.ts'
import type { AuditLog } from './audit-log.ts'
import type { Metrics } from './metrics.ts'
import type { NodeGraph } from './node-graph.ts'
import type { Registry } from './registry.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import type { Reader, Store } from './store.ts'
import type { TokenKey } from './token-key.ts'
import type { JsonRecord } from './value.ts'
import type { WebhookCaller } from './webhook-call.ts'

/** How the API server calls kubelets (logs, exec). */
export interface KubeletClient {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** Who signs tokens of service accounts, and for whom. */
export interface Tokens {
  readonly key: TokenKey
  /** The `iss` of tokens, and the audience that this server takes for itself. */
  readonly issuer: string
  /** Tokens whose signature was found sound, oldest first. */
  readonly seen: Map<string, JsonRecord>
}

/** What the handlers of resources work on. */
export interface Core {
  readonly store: Store
  readonly registry: Registry
  readonly allocator: ServiceAllocator
  readonly kubelet: KubeletClient | undefined
  readonly tokens: Tokens
  readonly metrics: Metrics
  /** Undefined: nothing is written down. */
  readonly audit: AuditLog | undefined
  /** The webhooks and policies that are asked about writes. */
  readonly plans: AdmissionPlans
  readonly webhooks: WebhookCaller
  /** The committed state, as authorization reads it. */
  readonly reader: Reader
  /** Which nodes have to do with which objects. */
  readonly nodes: NodeGraph
}

/** One request, as handlers see it. */
export interface Call {
  readonly method: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  body(): Promise<Buffer>
  /** Adds a `Warning: 299` header to the answer. */
  warn(text: string): void
  /** Adds an annotation to the request's audit events. */
  annotate(key: string, text: string): void
}
