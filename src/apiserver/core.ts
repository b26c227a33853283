import type { IncomingHttpHeaders } from 'node:http'
import type { Registry } from './registry.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import type { Store } from './store.ts'

/** How the API server calls kubelets (logs, exec). */
export interface KubeletClient {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** What the handlers of resources work on. */
export interface Core {
  readonly store: Store
  readonly registry: Registry
  readonly allocator: ServiceAllocator
  readonly kubelet: KubeletClient | undefined
}

/** One request, as handlers see it. */
export interface Call {
  readonly method: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  body(): Promise<Buffer>
  /** Adds a `Warning: 299` header to the answer. */
  warn(text: string): void
}
