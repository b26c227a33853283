import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'

/** Some endpoints fail, and session affinity keeps a client at the one that it has. */
export const sessionAffinity: Rule = {
  covers: ['67'],
  judge(examination) {
    const { subject } = examination
    if (subject.service.spec.sessionAffinity !== 'ClientIP') return []
    const direct = on(examination, 'client-pod')
    const bad = direct.filter(({ good }) => !good)
    const pinned = on(examination, 'cluster-ip').filter(({ result, good }) => !good && result.tries.length > 1)
    if (bad.length === 0 || bad.length === direct.length || pinned.length === 0) return []
    return [
      {
        confidence: 'possible',
        object: serviceOf(subject),
        field: 'spec.sessionAffinity',
        value: 'ClientIP',
        says: `${bad.length} of ${direct.length} endpoints fail, and sessionAffinity keeps a client at the one it has: some clients always fail, others never`,
        proof: [...pinned, ...bad].slice(0, 3).map(proofOf),
        twin: 'without affinity every client fails now and then',
        fix: {
          says: 'mend the endpoint; without affinity a client would find another one',
          patch: patchService(subject, { spec: { sessionAffinity: 'None' } }),
        },
        rung: 'cluster-ip',
      },
    ]
  },
}
