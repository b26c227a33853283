/** A limit of requests under way that finds its own height. Names and defaults after Netflix's concurrency-limits. */
export interface LimitOptions {
  /** `aimd` for clients (the default): up by one while all is well, down by `backoffRatio` on a failure or a slow answer. `gradient2`: by latency. */
  readonly algorithm?: 'aimd' | 'gradient2'
  readonly initialLimit?: number
  readonly minLimit?: number
  readonly maxLimit?: number
  readonly backoffRatio?: number
  /** An answer slower than this counts as a failure (aimd). */
  readonly timeoutMs?: number
  /** How much slower than usual is still well (gradient2). */
  readonly tolerance?: number
}

/** Thrown when the limit is reached; nothing was sent. */
export class OverloadedError extends Error {
  readonly code = 'PLUMB_OVERLOADED'
  constructor(serviceId: string, limit: number) {
    super(`${serviceId}: ${limit} requests are under way, which is its limit; try again later`)
    this.name = 'OverloadedError'
  }
}

/** Counts requests under way against an adaptive limit. */
export class ConcurrencyLimit {
  readonly #options: Required<LimitOptions>
  #limit: number
  #active = 0
  #longMs = 0

  constructor(options: LimitOptions) {
    this.#options = {
      algorithm: 'aimd',
      initialLimit: 20,
      minLimit: 1,
      maxLimit: 200,
      backoffRatio: 0.9,
      timeoutMs: 5000,
      tolerance: 1.5,
      ...options,
    }
    this.#limit = this.#options.initialLimit
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  get active(): number {
    return this.#active
  }

  tryAcquire(): boolean {
    if (this.#active >= this.limit) return false
    this.#active++
    return true
  }

  /** Ends one; `dropped`: it failed for overload or took too long to count as served. Undefined latency: says nothing. */
  release(latencyMs: number | undefined, dropped: boolean): void {
    const inFlight = this.#active--
    if (latencyMs === undefined && !dropped) return
    const { algorithm, minLimit, maxLimit, backoffRatio, timeoutMs } = this.#options
    if (dropped || (latencyMs ?? 0) > timeoutMs) this.#limit *= backoffRatio
    else if (algorithm === 'gradient2') this.#follow(latencyMs ?? 0, inFlight)
    // Only when the limit is felt: a quiet client learns nothing about how much more would be well.
    else if (inFlight * 2 >= this.limit) this.#limit += 1 / this.#limit
    this.#limit = Math.min(maxLimit, Math.max(minLimit, this.#limit))
  }

  /** Limit × (usual latency ÷ this latency) + room for a queue of √limit, smoothed. */
  #follow(latencyMs: number, inFlight: number): void {
    this.#longMs = this.#longMs === 0 ? latencyMs : this.#longMs + (latencyMs - this.#longMs) / 600
    // After a long spell of slowness the usual latency must come down faster than it went up.
    if (this.#longMs > 2 * latencyMs) this.#longMs *= 0.95
    if (inFlight * 2 < this.#limit) return
    const gradient = Math.max(0.5, Math.min(1, (this.#options.tolerance * this.#longMs) / Math.max(latencyMs, 1e-3)))
    const aim = this.#limit * gradient + Math.sqrt(this.#limit)
    this.#limit += 0.2 * (aim - this.#limit)
  }
}
