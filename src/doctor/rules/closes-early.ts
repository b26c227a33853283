import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'

/** The application takes the connection and ends it before it answers: an LB makes 502 of it. */
export const closesEarly: Rule = {
  covers: ['21'],
  judge(examination) {
    const found = on(examination, 'loopback', 'pod').filter(({ result }) => findBad(result)?.kind === 'closed')
    const [first] = found
    if (first === undefined) return []
    const pods = [...new Set(found.map(({ probe }) => renderPlace(probe.from)))]
    return [
      {
        confidence: 'certain',
        object: pods[0] ?? '',
        field: 'spec.containers',
        value: '',
        says: `the application takes connections and closes them before it answers (${pods.length} of ${examination.subject.backends.length} endpoints): an LB in front says 502`,
        proof: found.slice(0, 3).map(proofOf),
        twin: 'a race over idle connections: there a fresh one never fails, and this one was fresh',
        fix: { says: `look at the application's log at this moment (GET ${examination.subject.path})` },
        rung: 'loopback',
      },
    ]
  },
}
