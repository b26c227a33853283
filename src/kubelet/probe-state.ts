import type { Probe } from '../objects/index.ts'

/** Which of a container's probes this is; they differ in what they start from and what a failure means. */
export type ProbeKind = 'readiness' | 'liveness' | 'startup'

/** A probe's answer so far. `unknown` counts as neither. */
export type ProbeVerdict = 'success' | 'failure' | 'unknown'

/** What a probe worker remembers between two attempts. */
export interface ProbeState {
  readonly verdict: ProbeVerdict
  readonly last: ProbeVerdict
  /** How often in a row the last answer came. */
  readonly run: number
  /** A failed liveness or startup probe waits for the next container. */
  readonly onHold: boolean
}

/** kubelet's timings with its defaults. */
export interface ProbeTimings {
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

/** The verdict that holds before the first attempt: not ready, alive, not known to have started. */
export function initialProbeState(kind: ProbeKind): ProbeState {
  const verdict = ({ readiness: 'failure', liveness: 'success', startup: 'unknown' } as const)[kind]
  return { verdict, last: 'unknown', run: 0, onHold: false }
}

/** The timings of a probe with the API's defaults for what it leaves out. */
export function probeTimings(probe: Probe): ProbeTimings {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds ?? 10) * 1000,
    timeoutMs: (probe.timeoutSeconds ?? 1) * 1000,
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  }
}

/** The state after one more answer (kubelet's prober `worker.doProbe`). */
export function nextProbeState(
  kind: ProbeKind,
  state: ProbeState,
  answer: 'success' | 'failure',
  timings: ProbeTimings,
): ProbeState {
  const run = answer === state.last ? state.run + 1 : 1
  const threshold = answer === 'success' ? timings.successThreshold : timings.failureThreshold
  if (run < threshold) return { ...state, last: answer, run }
  const fatal = kind !== 'readiness' && answer === 'failure'
  return { verdict: answer, last: answer, run: fatal ? 0 : run, onHold: fatal }
}
