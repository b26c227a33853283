import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'

/** The application takes the connection and does not answer in time: an LB makes 504 of it. Twin: packets that are too large. */
export const tooSlow: Rule = {
  covers: ['23'],
  judge(examination) {
    // On loopback no packet is too large and no policy counts.
    const found = on(examination, 'loopback', 'pod').filter(({ result }) => findBad(result)?.kind === 'stalled')
    const [first] = found
    if (first === undefined) return []
    const pods = [...new Set(found.map(({ probe }) => renderPlace(probe.from)))]
    const waited = Math.round((first.result.tries[0]?.ms ?? 0) / 100) / 10
    return [
      {
        confidence: 'certain',
        object: pods[0] ?? '',
        field: 'spec.containers',
        value: `${waited} s`,
        says: `the application takes connections and had not answered after ${waited} s, not even to itself (${pods.length} of ${examination.subject.backends.length} endpoints): an LB in front says 504 when its own time is over`,
        proof: found.slice(0, 3).map(proofOf),
        twin: 'an MTU that is too small: there the pod answers itself, and only large packets from elsewhere stall',
        fix: {
          says: `see what the application waits for (GET ${examination.subject.path}); a longer timeout of the LB only hides it`,
        },
        rung: 'loopback',
      },
    ]
  },
}
