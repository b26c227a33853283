import type { Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import type { RequestRule } from '../request.ts'
import { proofOf } from '../words.ts'

/** The gateway gives up before the application answers, which does answer who waits longer. */
export const timeoutOrder: RequestRule = {
  covers: ['24', '23'],
  judge({ tested, answer, backend }) {
    if (answer.kind !== 'forwarded' || answer.action.timeoutMs === undefined) return []
    const { timeoutMs } = answer.action
    const bad = tested.filter(({ result }) => {
      const outcome = findBad(result)
      return outcome?.kind === 'answered' && outcome.http?.status === 504
    })
    const served = (backend?.tested ?? []).flatMap((one) =>
      ['pod', 'own-node', 'client-pod'].includes(one.probe.rung) && one.good && isOnce(one)
        ? one.result.tries.map(({ ms }) => ({ one, ms }))
        : [],
    )
    const quickest = served.sort((a, b) => a.ms - b.ms)[0]
    const [first] = bad
    if (first === undefined || quickest === undefined || quickest.ms < timeoutMs) return []
    const { object } = answer.rule.because
    const isIngress = object.startsWith('ingress/')
    return [
      {
        confidence: 'certain',
        object,
        field: isIngress ? 'metadata.annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]' : 'timeouts',
        value: `${timeoutMs} ms`,
        says: `the gateway gives up after ${timeoutMs} ms and says 504, and the application answers after ${Math.round(quickest.ms)} ms: the outer timeout is the shorter one`,
        proof: [
          `${proofOf(first)} after ${Math.round(first.result.tries[0]?.ms ?? 0)} ms`,
          `${proofOf(quickest.one)} after ${Math.round(quickest.ms)} ms`,
        ],
        twin: 'an application that never answers: there nobody is served, however long they wait',
        fix: {
          says: `let the timeout of ${object} be longer than the application takes, and that of every client before it longer still; or make the application faster`,
        },
        rung: 'gateway',
      },
    ]
  },
}

/** Whether its time is that of one answer. */
function isOnce({ probe: { speech } }: Tested): boolean {
  return speech.kind !== 'http' || speech.idleMs === undefined
}
