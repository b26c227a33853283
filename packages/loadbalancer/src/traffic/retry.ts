import type { Clock } from '../clock.ts'
import type { BalancedRequest } from '../instance.ts'
import type { Random } from '../random.ts'

/** Retries by Spring's names and defaults, and a budget. */
export interface RetryOptions {
  /** True unless given. */
  readonly enabled?: boolean
  readonly maxRetriesOnSameServiceInstance?: number
  readonly maxRetriesOnNextServiceInstance?: number
  /** Any method, not only safe ones. A request that never reached the instance is tried again in any case. */
  readonly retryOnAllOperations?: boolean
  readonly retryableStatusCodes?: readonly number[]
  /** Which errors; all unless given. */
  readonly isRetryable?: (error: unknown) => boolean
  readonly avoidPreviousInstance?: boolean
  readonly backoff?: { enabled?: boolean; minBackoffMs?: number; maxBackoffMs?: number; jitter?: number }
  /** How many retries and hedges there may be for all requests together: a share of the requests and a floor. */
  readonly budget?: { ratio?: number; minRetriesPerSecond?: number; ttlMs?: number }
}

/** A second attempt on another instance when the first has not answered in time; the first answer wins. Safe methods only. */
export interface HedgeOptions {
  /** Wait this long, or the given percentile of the latest answers when that is longer. */
  readonly delayMs?: number
  /** 95 unless given. */
  readonly percentile?: number
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function isSafe(request: BalancedRequest): boolean {
  return safeMethods.has((request.method ?? 'GET').toUpperCase())
}

const neverSent = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
])

/** Whether the error means that the instance cannot have seen the request. */
export function wasNeverSent(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: string; cause?: unknown }
  if (code !== undefined && neverSent.has(code)) return true
  return cause !== undefined && cause !== error && wasNeverSent(cause)
}

/** Tokens for retries (Finagle's RetryBudget): requests put in `ratio` each, retries take one, and what is older than the time to live is gone. */
export class RetryBudget {
  readonly #clock: Clock
  readonly #ratio: number
  readonly #floor: number
  readonly #slotMs: number
  /** Deposits less withdrawals in tenths of the time to live. */
  readonly #slots = new Float64Array(10)
  #slot = 0

  constructor(options: NonNullable<RetryOptions['budget']>, clock: Clock) {
    const { ratio = 0.2, minRetriesPerSecond = 10, ttlMs = 10_000 } = options
    this.#clock = clock
    this.#ratio = ratio
    this.#floor = (minRetriesPerSecond * ttlMs) / 1000
    this.#slotMs = ttlMs / this.#slots.length
    this.#slot = Math.floor(clock.now() / this.#slotMs)
  }

  /** A request that is no retry. */
  deposit(): void {
    this.#slots[this.#current()]! += this.#ratio
  }

  /** Whether one more retry may be; takes it. */
  tryWithdraw(): boolean {
    const slot = this.#current()
    if (this.balance() < 1) return false
    this.#slots[slot]! -= 1
    return true
  }

  balance(): number {
    this.#current()
    return this.#slots.reduce((sum, tokens) => sum + tokens, this.#floor)
  }

  #current(): number {
    const slot = Math.floor(this.#clock.now() / this.#slotMs)
    const gone = Math.min(slot - this.#slot, this.#slots.length)
    for (let i = 1; i <= gone; i++) this.#slots[(this.#slot + i) % this.#slots.length] = 0
    if (slot > this.#slot) this.#slot = slot
    return this.#slot % this.#slots.length
  }
}

/** How long to wait before retry `number` (from 1): exponential with jitter, as Reactor's Retry.backoff; 0 when it is off. */
export function backoffMs(options: RetryOptions['backoff'], number: number, random: Random): number {
  if (options?.enabled !== true) return 0
  const { minBackoffMs = 5, maxBackoffMs = 10_000, jitter = 0.5 } = options
  const base = Math.min(maxBackoffMs, minBackoffMs * 2 ** (number - 1))
  return Math.max(0, Math.min(maxBackoffMs, base * (1 + jitter * (2 * random.next() - 1))))
}

/** Percentile of the latest 256 answers. */
export class LatencyWindow {
  readonly #values = new Float64Array(256)
  #count = 0
  #sorted: Float64Array | undefined

  add(latencyMs: number): void {
    this.#values[this.#count++ % this.#values.length] = latencyMs
    // An old order is good enough for a while, and sorting for every request is not.
    if (this.#count % 32 === 0 || this.#count < 32) this.#sorted = undefined
  }

  /** Undefined before the first. */
  percentile(percent: number): number | undefined {
    if (this.#count === 0) return undefined
    this.#sorted ??= this.#values.slice(0, Math.min(this.#count, this.#values.length)).sort()
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor((percent / 100) * this.#sorted.length))]
  }
}
