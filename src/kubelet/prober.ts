import type { Container, Probe } from '../objects/index.ts'
import { type ProbeDoor, runProbe } from './probe-run.ts'
import { initialProbeState, nextProbeState, type ProbeKind, probeTimings } from './probe-state.ts'

/** What a prober tells the container it watches. */
export interface ProberEvents {
  readonly onReady: (ready: boolean) => void
  readonly onStarted: () => void
  /** A liveness or startup probe failed for good: the container must be killed. */
  readonly onUnhealthy: (kind: ProbeKind) => void
  readonly onFailure: (kind: ProbeKind, message: string) => void
}

// A program that takes 100 ms to listen should not be unready for a whole period: until the first period is over, failures of
// readiness and startup probes are not counted and the next attempt comes soon.
const eagerMs = 150

/** Runs the probes of one container instance from its start to its end. */
export class Prober {
  readonly #container: Container
  readonly #door: ProbeDoor
  readonly #events: ProberEvents
  readonly #delays: boolean
  readonly #timers = new Set<NodeJS.Timeout>()
  #stopped = false
  #ending = false

  /** `delays` says whether initial delays are waited for. Readiness and liveness wait for the startup probe, if there is one. */
  constructor(container: Container, door: ProbeDoor, events: ProberEvents, delays: boolean) {
    this.#container = container
    this.#door = door
    this.#events = events
    this.#delays = delays
  }

  start(): void {
    const { startupProbe } = this.#container
    if (startupProbe === undefined) this.#startRest()
    else this.#watch('startup', startupProbe)
  }

  /** The container was told to end: from now on only readiness counts, as upstream's StopLivenessAndStartup. */
  end(): void {
    this.#ending = true
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #startRest(): void {
    const { readinessProbe, livenessProbe } = this.#container
    this.#events.onStarted()
    if (readinessProbe === undefined) this.#events.onReady(true)
    else this.#watch('readiness', readinessProbe)
    if (livenessProbe !== undefined) this.#watch('liveness', livenessProbe)
  }

  #watch(kind: ProbeKind, probe: Probe): void {
    const timings = probeTimings(probe)
    let state = initialProbeState(kind)
    const eagerUntil = performance.now() + timings.initialDelayMs + timings.periodMs
    const attempt = async (): Promise<void> => {
      if (this.#ending && kind !== 'readiness') return
      const startedAt = performance.now()
      const answer = await runProbe(probe, this.#container, this.#door, timings.timeoutMs)
      if (this.#stopped || (this.#ending && kind !== 'readiness')) return
      if (!answer.ok && kind !== 'liveness' && performance.now() < eagerUntil) {
        this.#later(eagerMs, attempt)
        return
      }
      const before = state.verdict
      state = nextProbeState(kind, state, answer.ok ? 'success' : 'failure', timings)
      if (!answer.ok) this.#events.onFailure(kind, answer.message)
      if (state.verdict !== before) this.#conclude(kind, state.verdict === 'success')
      if (state.onHold || (kind === 'startup' && state.verdict === 'success')) return
      // Counted from the attempt's start, like a ticker.
      this.#later(Math.max(timings.periodMs - (performance.now() - startedAt), 10), attempt)
    }
    // A liveness probe of a fresh container has nothing to tell: it waits a period, and a thousand pods do not ask at once.
    const spreadMs = kind === 'liveness' ? timings.periodMs * (0.5 + Math.random() / 2) : 0
    this.#later(this.#delays ? timings.initialDelayMs : spreadMs, attempt)
  }

  #conclude(kind: ProbeKind, success: boolean): void {
    if (kind === 'readiness') this.#events.onReady(success)
    else if (!success) this.#events.onUnhealthy(kind)
    else if (kind === 'startup') this.#startRest()
  }

  #later(delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void work()
    }, delayMs)
    this.#timers.add(timer)
  }
}
