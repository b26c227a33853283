import assert from 'node:assert/strict'
import { test } from 'node:test'
import { initialProbeState, nextProbeState, type ProbeKind, probeTimings } from './probe-state.ts'

// s and f are answers; the verdicts after each follow: S, F or U, and ! when the probe rests until the next container.
const cases: readonly (readonly [
  ProbeKind,
  { successThreshold?: number; failureThreshold?: number },
  string,
  string,
])[] = [
  ['readiness', {}, 's', 'S'],
  ['readiness', {}, 'sff', 'SSS'],
  ['readiness', {}, 'sfff', 'SSSF'],
  ['readiness', {}, 'sffsfff', 'SSSSSSF'],
  ['readiness', { successThreshold: 2 }, 'sfss', 'FFFS'],
  ['readiness', { failureThreshold: 1 }, 'sfs', 'SFS'],
  ['liveness', {}, 'fff', 'SSF!'],
  ['liveness', { failureThreshold: 1 }, 'f', 'F!'],
  ['startup', {}, 'ffs', 'UUS'],
  ['startup', { failureThreshold: 2 }, 'ff', 'UF!'],
]

for (const [kind, thresholds, answers, verdicts] of cases) {
  test(`${kind} ${JSON.stringify(thresholds)}: ${answers} gives ${verdicts}`, () => {
    const timings = probeTimings(thresholds)
    let state = initialProbeState(kind)
    let seen = ''
    for (const answer of answers) {
      state = nextProbeState(kind, state, answer === 's' ? 'success' : 'failure', timings)
      seen += state.verdict[0]?.toUpperCase()
    }
    assert.equal(seen + (state.onHold ? '!' : ''), verdicts)
  })
}

test('what a probe leaves out has the defaults of the API', () => {
  assert.deepEqual(probeTimings({}), {
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1000,
    successThreshold: 1,
    failureThreshold: 3,
  })
})
