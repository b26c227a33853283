import { familyOf } from '../../addr/index.ts'
import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { inPod } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'
import { isLoopback, socketsOf } from './sockets.ts'

/** The application listens on the pod's loopback alone: it answers itself and refuses everybody else. */
export const listensOnLoopback: Rule = {
  covers: ['17'],
  judge(examination) {
    const { subject } = examination
    const found = subject.backends.flatMap((backend) => {
      if (backend.pod === undefined) return []
      const pod = keyOf(backend.pod)
      const family = familyOf(backend.address)
      const same = (rung: 'pod' | 'loopback') =>
        inPod(examination, rung, pod).find(
          ({ probe }) => probe.port === backend.port && familyOf(probe.address) === family,
        )
      const [direct, loopback] = [same('pod'), same('loopback')]
      const sockets = socketsOf(examination, pod)?.filter(
        (one) => one.port === backend.port && one.transport === subject.transport && familyOf(one.address) === family,
      )
      if (direct === undefined || findBad(direct.result)?.kind !== 'refused') return []
      const bySocket =
        sockets !== undefined && sockets.length > 0 && sockets.every(({ address }) => isLoopback(address))
      return bySocket || loopback?.good
        ? [{ pod, backend, direct, loopback, bySocket, address: sockets?.[0]?.address }]
        : []
    })
    const [first] = found
    if (first === undefined) return []
    return [
      {
        confidence: 'certain',
        object: `pod/${first.pod}`,
        field: 'spec.containers',
        value: first.address ?? 'loopback',
        says: `the application listens on ${first.address ?? 'loopback'}:${first.backend.port} alone, so nobody but the pod itself reaches it (${found.length} of ${subject.backends.length} endpoints)`,
        proof: found
          .slice(0, 2)
          .flatMap(({ direct, loopback }) => [...(loopback === undefined ? [] : [proofOf(loopback)]), proofOf(direct)]),
        twin: 'a wrong targetPort: there loopback is refused too',
        fix: { says: 'let the application listen on 0.0.0.0 (and ::), by its own configuration' },
        rung: 'pod',
      },
    ]
  },
}
