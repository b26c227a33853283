import type { Endpoint, FailureOrigin } from './endpoint.ts'

/** When an instance that answers badly is left out for a while. Names and defaults as Envoy's and gRFC A50's. */
export interface OutlierOptions {
  /** Failures in a row of any kind. 0 turns a rule off. */
  readonly consecutiveFailures?: number
  /** 502, 503 and 504 in a row. */
  readonly consecutiveGatewayFailures?: number
  /** Connections refused, reset or timed out in a row. */
  readonly consecutiveLocalOriginFailures?: number
  /** Between two looks at the success rates, and the multiplier's decay. */
  readonly intervalMs?: number
  readonly baseEjectionTimeMs?: number
  readonly maxEjectionTimeMs?: number
  /** One instance may always be ejected. */
  readonly maxEjectionPercent?: number
  readonly successRate?: { stdevFactor?: number; minimumHosts?: number; requestVolume?: number } | false
  readonly failurePercentage?: { threshold?: number; minimumHosts?: number; requestVolume?: number } | false
}

const defaults = {
  consecutiveFailures: 5,
  consecutiveGatewayFailures: 0,
  consecutiveLocalOriginFailures: 5,
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 10,
}

/** Ejects instances, and lets them back on probation. */
export class OutlierDetection {
  readonly #options: typeof defaults
  readonly #successRate: { stdevFactor: number; minimumHosts: number; requestVolume: number } | undefined
  readonly #failurePercentage: { threshold: number; minimumHosts: number; requestVolume: number } | undefined
  #sweepAtMs: number

  constructor(options: OutlierOptions, nowMs: number) {
    const { successRate, failurePercentage, ...rest } = options
    this.#options = { ...defaults, ...rest }
    const volumes = { minimumHosts: 5, requestVolume: 50 }
    this.#successRate =
      successRate === false ? undefined : { ...volumes, stdevFactor: 1900, requestVolume: 100, ...successRate }
    this.#failurePercentage =
      failurePercentage === false ? undefined : { ...volumes, threshold: 85, ...failurePercentage }
    this.#sweepAtMs = nowMs + this.#options.intervalMs
  }

  /** Counts an answer; says whether anybody was ejected. `gateway`: the answer was 502, 503 or 504. */
  note(
    endpoint: Endpoint,
    failed: boolean,
    origin: FailureOrigin,
    gateway: boolean,
    all: readonly Endpoint[],
    nowMs: number,
  ): boolean {
    endpoint.windowTotal++
    let ejected = false
    if (failed) {
      endpoint.windowFailures++
      endpoint.failuresInRow++
      if (gateway) endpoint.gatewayFailuresInRow++
      if (origin === 'local') endpoint.localFailuresInRow++
      const rule = this.#findBrokenRule(endpoint)
      if (rule !== undefined) ejected = this.#eject(endpoint, rule, all, nowMs)
    } else {
      endpoint.failuresInRow = 0
      endpoint.gatewayFailuresInRow = 0
      endpoint.localFailuresInRow = 0
      endpoint.onProbation = false
    }
    return nowMs >= this.#sweepAtMs ? this.#sweep(all, nowMs) || ejected : ejected
  }

  #findBrokenRule(endpoint: Endpoint): string | undefined {
    const { consecutiveFailures, consecutiveGatewayFailures, consecutiveLocalOriginFailures } = this.#options
    const rules: [limit: number, count: number, what: string][] = [
      [consecutiveLocalOriginFailures, endpoint.localFailuresInRow, 'connection failures in a row'],
      [consecutiveGatewayFailures, endpoint.gatewayFailuresInRow, 'gateway errors in a row'],
      [consecutiveFailures, endpoint.failuresInRow, 'failures in a row'],
    ]
    for (const [limit, count, what] of rules) {
      if (limit === 0) continue
      if (endpoint.onProbation) return 'failed again after its return'
      if (count >= limit) return `${count} ${what}`
    }
    return undefined
  }

  #eject(endpoint: Endpoint, because: string, all: readonly Endpoint[], nowMs: number): boolean {
    // Answers of requests that were under way when it was ejected say nothing new.
    if (endpoint.ejectedUntilMs > nowMs) return false
    let out = 0
    for (const other of all) if (other.ejectedUntilMs > nowMs) out++
    if (out > 0 && ((out + 1) * 100) / all.length > this.#options.maxEjectionPercent) return false
    endpoint.ejections++
    endpoint.ejectedUntilMs =
      nowMs + Math.min(this.#options.baseEjectionTimeMs * endpoint.ejections, this.#options.maxEjectionTimeMs)
    endpoint.ejectedBecause = because
    endpoint.onProbation = true
    endpoint.failuresInRow = 0
    endpoint.gatewayFailuresInRow = 0
    endpoint.localFailuresInRow = 0
    return true
  }

  #sweep(all: readonly Endpoint[], nowMs: number): boolean {
    this.#sweepAtMs = nowMs + this.#options.intervalMs
    let ejected = false
    for (const [endpoint, because] of [...this.#lowSuccess(all, nowMs), ...this.#failing(all, nowMs)])
      ejected = this.#eject(endpoint, because, all, nowMs) || ejected
    for (const endpoint of all) {
      endpoint.windowTotal = 0
      endpoint.windowFailures = 0
      if (endpoint.ejectedUntilMs <= nowMs && !endpoint.onProbation && endpoint.ejections > 0) endpoint.ejections--
    }
    return ejected
  }

  #lowSuccess(all: readonly Endpoint[], nowMs: number): [Endpoint, string][] {
    const rule = this.#successRate
    if (rule === undefined) return []
    const hosts = all.filter((one) => one.ejectedUntilMs <= nowMs && one.windowTotal >= rule.requestVolume)
    if (hosts.length < rule.minimumHosts) return []
    const rates = hosts.map((one) => 1 - one.windowFailures / one.windowTotal)
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
    const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length)
    const least = mean - (deviation * rule.stdevFactor) / 1000
    return hosts.flatMap((one, i): [Endpoint, string][] =>
      rates[i]! < least ? [[one, `success rate ${percent(rates[i]!)}, the others' mean is ${percent(mean)}`]] : [],
    )
  }

  #failing(all: readonly Endpoint[], nowMs: number): [Endpoint, string][] {
    const rule = this.#failurePercentage
    if (rule === undefined) return []
    const hosts = all.filter((one) => one.ejectedUntilMs <= nowMs && one.windowTotal >= rule.requestVolume)
    if (hosts.length < rule.minimumHosts) return []
    return hosts
      .filter((one) => (one.windowFailures * 100) / one.windowTotal > rule.threshold)
      .map((one) => [one, `${percent(one.windowFailures / one.windowTotal)} of its answers are failures`])
  }
}

function percent(rate: number): string {
  return `${(rate * 100).toFixed(1)} %`
}
