import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'

/** The application itself says 5xx, asked without anything in between. */
export const backendError: Rule = {
  covers: ['28'],
  judge(examination) {
    const found = on(examination, 'loopback', 'pod').filter(({ result }) => {
      const bad = findBad(result)
      return bad?.kind === 'answered' && bad.http?.cut === undefined
    })
    const [first] = found
    if (first === undefined) return []
    const bad = findBad(first.result)
    const http = bad?.kind === 'answered' ? bad.http : undefined
    const pods = [...new Set(found.map(({ probe }) => renderPlace(probe.from)))]
    return [
      {
        confidence: 'certain',
        object: pods[0] ?? '',
        field: 'spec.containers',
        value: String(http?.status ?? ''),
        says: `the application itself answers ${http?.status} to GET ${examination.subject.path}, asked inside its own pod (${pods.length} of ${examination.subject.backends.length} endpoints): no LB made it`,
        proof: found.slice(0, 3).map(proofOf),
        twin: 'a 5xx that an LB makes: there the pod itself answers well',
        fix: { says: 'look at the application’s log; it saw the request' },
        rung: 'loopback',
      },
    ]
  },
}
