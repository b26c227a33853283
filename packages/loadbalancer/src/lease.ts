import type { Endpoint, FailureOrigin, OutcomeKind } from './endpoint.ts'
import type { BalancedRequest, ServiceInstance } from './instance.ts'

/** How a request ended, besides success or failure. */
export interface Ending {
  /** HTTP status, if there was an answer. */
  readonly status?: number
  readonly error?: unknown
  /** `local` unless there was an answer. */
  readonly origin?: FailureOrigin
}

/** What a lease tells when it ends. */
export interface LeaseOwner {
  ended(lease: Lease, kind: OutcomeKind, ending: Ending): void
  readonly clock: { now(): number }
}

/** One request given to one instance. Whoever picks must end it, once: `done` or `complete`; further calls do nothing. */
export class Lease {
  readonly endpoint: Endpoint
  readonly request: BalancedRequest
  readonly startedMs: number
  /** When the answer began, if the caller said so. */
  respondedMs = 0
  readonly #owner: LeaseOwner
  #isOpen = true

  constructor(owner: LeaseOwner, endpoint: Endpoint, request: BalancedRequest, nowMs: number) {
    this.#owner = owner
    this.endpoint = endpoint
    this.request = request
    this.startedMs = nowMs
  }

  get instance(): ServiceInstance {
    return this.endpoint.instance
  }

  /** The answer begins: latency counts to here, so that a long download does not look like a slow instance. */
  responded(): void {
    if (this.respondedMs === 0) this.respondedMs = this.#owner.clock.now()
  }

  /** Ended with an HTTP status: a failure from 500 on. */
  done(status = 200): void {
    this.complete(status >= 500 ? 'failure' : 'success', { status, origin: 'remote' })
  }

  complete(kind: OutcomeKind, ending: Ending = {}): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#owner.ended(this, kind, ending)
  }
}
