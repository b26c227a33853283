import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { inPod } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'
import { isLoopback, socketsOf } from './sockets.ts'

/** No socket listens in the pod at all: the application is down or not up yet. */
export const nothingListens: Rule = {
  covers: ['19'],
  judge(examination) {
    const { subject } = examination
    const found = subject.backends.flatMap((backend) => {
      // What goes down as it should is told by the rule about pods that are not ready.
      if (backend.pod === undefined || backend.pod.metadata.deletionTimestamp !== undefined) return []
      const pod = keyOf(backend.pod)
      const [direct] = inPod(examination, 'pod', pod).filter(({ probe }) => probe.address === backend.address)
      const sockets = socketsOf(examination, pod)
      if (direct === undefined || findBad(direct.result)?.kind !== 'refused') return []
      if (sockets === undefined || sockets.some(({ address, port }) => !isLoopback(address) || port === backend.port))
        return []
      return [{ pod: backend.pod, key: pod, direct }]
    })
    const [first] = found
    if (first === undefined) return []
    const status = first.pod.status?.containerStatuses?.find(
      ({ state, restartCount = 0 }) => state?.waiting !== undefined || restartCount > 0,
    )
    const restarts = status === undefined ? '' : `; container ${status.name} has ${status.restartCount} restarts`
    return [
      {
        confidence: 'certain',
        object: `pod/${first.key}`,
        field: status === undefined ? 'spec.containers' : `status.containerStatuses[${status.name}]`,
        value: status?.state?.waiting?.reason ?? '',
        says: `no socket listens in pod/${first.key}: the application is down or not up yet${restarts} (${found.length} of ${subject.backends.length} endpoints)`,
        proof: found.slice(0, 3).map(({ direct }) => proofOf(direct)),
        twin: 'a wrong targetPort: there another port listens',
        fix: { says: 'look at its logs; a readiness probe on this port would have kept connections away' },
        rung: 'pod',
      },
    ]
  },
}
