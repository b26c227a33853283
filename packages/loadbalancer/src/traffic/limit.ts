/** A limit of requests under way that finds its own height. Names and defaults after Netflix's concurrency-limits. */
export interface LimitOptions {
  /**
   * `aimd` (the default): up by one while all is well, down by `backoffRatio` on a failure or a slow answer. `vegas`: by latency, so that few
   * requests wait in line at the service (Brakmo and Peterson, 1995).
   */
  readonly algorithm?: 'aimd' | 'vegas'
  readonly initialLimit?: number
  readonly minLimit?: number
  readonly maxLimit?: number
  readonly backoffRatio?: number
  /** An answer slower than this counts as a failure (aimd). */
  readonly timeoutMs?: number
  /** After how many answers the latency without a line is measured anew, with half as many under way (vegas). */
  readonly probeEvery?: number
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
  /** The latency without a line, and what it is by the measurement under way. */
  #baseMs = Number.POSITIVE_INFINITY
  #probedMs = Number.POSITIVE_INFINITY
  /** Answers since the last measurement began. */
  #answers = 0

  constructor(options: LimitOptions) {
    this.#options = {
      algorithm: 'aimd',
      initialLimit: 20,
      minLimit: 1,
      maxLimit: 200,
      backoffRatio: 0.9,
      timeoutMs: 5000,
      probeEvery: 1000,
      ...options,
    }
    this.#limit = this.#options.initialLimit
  }

  get limit(): number {
    const { minLimit } = this.#options
    return Math.floor(this.#isProbing() ? Math.max(minLimit, this.#limit / 2) : this.#limit)
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
    else if (algorithm === 'vegas') this.#follow(latencyMs ?? 0, inFlight)
    // Only when the limit is felt: a quiet client learns nothing about how much more would be well.
    else if (inFlight * 2 >= this.limit) this.#limit += 1 / this.#limit
    this.#limit = Math.min(maxLimit, Math.max(minLimit, this.#limit))
  }

  /** For as many answers as there are places in twice the limit: by then those that began before are gone, and the line with them. */
  #isProbing(): boolean {
    return this.#options.algorithm === 'vegas' && this.#answers > this.#options.probeEvery
  }

  /** Up while fewer than 3 log₁₀(limit) wait in line by the latency, down while more than 6 log₁₀(limit) do. */
  #follow(latencyMs: number, inFlight: number): void {
    this.#answers++
    if (this.#isProbing()) {
      this.#probe(latencyMs)
      return
    }
    this.#baseMs = Math.min(this.#baseMs, latencyMs)
    const waiting = this.#limit * (1 - this.#baseMs / Math.max(latencyMs, 1e-3))
    const step = Math.log10(Math.max(10, this.#limit))
    if (waiting > 6 * step) this.#limit -= step / this.#limit
    // Only when the limit is felt, as for aimd.
    else if (waiting < 3 * step && inFlight * 2 >= this.#limit) this.#limit += step / this.#limit
  }

  #probe(latencyMs: number): void {
    const since = this.#answers - this.#options.probeEvery
    if (since > this.#limit) this.#probedMs = Math.min(this.#probedMs, latencyMs)
    if (since <= 2 * this.#limit) return
    this.#baseMs = this.#probedMs
    this.#probedMs = Number.POSITIVE_INFINITY
    this.#answers = 0
  }
}
