import { decay } from './decay.ts'
import type { ServiceInstance } from './instance.ts'

/** How one request went. `discard`: nobody waited for the answer, so it says nothing about the instance. */
export type OutcomeKind = 'success' | 'failure' | 'discard'

/** Where a failure arose: `local` never reached the instance or broke on the way, `remote` is its own answer. */
export type FailureOrigin = 'local' | 'remote'

/** Time constant of latencies and failure rates, milliseconds (Finagle's default). */
export const decayMs = 10_000

const failureStep = 0.2

/** One instance and what was learnt of it. It outlives changes of the list as long as the instance's id stays in it. */
export class Endpoint {
  instance: ServiceInstance
  weight = 1
  /** Requests under way. */
  active = 0
  /** Peak-sensitive moving average of latency at `stampMs`, milliseconds; meaningless before the first sample. */
  costMs = 0
  stampMs = 0
  samples = 0
  /** When it last ended a request, or began one while idle. */
  progressMs = 0
  /** Share of failures at `failureStampMs`. */
  failureRate = 0
  failureStampMs = 0
  failuresInRow = 0
  gatewayFailuresInRow = 0
  localFailuresInRow = 0
  /** Since the last sweep of the outlier detection. */
  windowTotal = 0
  windowFailures = 0
  ejectedUntilMs = 0
  ejections = 0
  ejectedBecause = ''
  /** Back from ejection and not yet proven: the next failure ejects it again. */
  onProbation = false
  /** Its own health check fails. */
  unhealthy = false
  /** End and begin of its slow start; no slow start when the end is past. */
  warmUntilMs = 0
  warmSinceMs = 0

  constructor(instance: ServiceInstance, nowMs: number) {
    this.instance = instance
    this.stampMs = nowMs
    this.failureStampMs = nowMs
    this.progressMs = nowMs
    this.weight = weightOf(instance)
  }

  /** Takes what discovery says now, and keeps what was learnt. */
  update(instance: ServiceInstance): void {
    this.instance = instance
    this.weight = weightOf(instance)
  }

  begin(nowMs: number): void {
    if (this.active++ === 0) this.progressMs = nowMs
  }

  /** Latency now, milliseconds: the average, or the time since it last ended anything, whichever is longer. */
  latencyMs(nowMs: number): number {
    const average = this.costMs * decay((nowMs - this.stampMs) / decayMs)
    if (this.active === 0) return average
    const silentMs = nowMs - this.progressMs
    return Math.max(silentMs, average)
  }

  /** A peak moves the average at once, anything less slowly (Finagle's Peak EWMA). */
  observe(latencyMs: number, nowMs: number): void {
    const keep = decay((nowMs - this.stampMs) / decayMs)
    const decayed = this.costMs * keep
    this.costMs = latencyMs > decayed ? latencyMs : decayed + latencyMs * (1 - keep)
    this.stampMs = nowMs
    this.samples++
  }

  failureRateAt(nowMs: number): number {
    return this.failureRate === 0 ? 0 : this.failureRate * decay((nowMs - this.failureStampMs) / decayMs)
  }

  noteFailureRate(failed: boolean, nowMs: number): void {
    const rate = this.failureRateAt(nowMs)
    this.failureRate = failed ? rate + failureStep * (1 - rate) : rate * (1 - failureStep)
    if (this.failureRate < 1e-4) this.failureRate = 0
    this.failureStampMs = nowMs
  }
}

function weightOf(instance: ServiceInstance): number {
  const text = instance.metadata?.weight
  const weight = instance.weight ?? (text === undefined || text === '' ? 1 : Number(text))
  return weight > 0 && Number.isFinite(weight) ? weight : 1
}
