import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { inPod } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'
import { socketsOf } from './sockets.ts'

/** A socket listens and is silent even to its own pod: nothing but a full accept queue drops a SYN there (tcp_conn_request). */
export const backlogFull: Rule = {
  covers: ['20'],
  judge(examination) {
    const { backends } = examination.subject
    const found = backends.flatMap(({ pod, address, port }) => {
      if (pod === undefined) return []
      const key = keyOf(pod)
      const listens = socketsOf(examination, key)?.some((one) => one.transport === 'tcp' && one.port === port) ?? false
      const silent = [...inPod(examination, 'loopback', key), ...inPod(examination, 'pod', key)].filter(
        ({ probe, result }) =>
          probe.port === port &&
          (probe.rung === 'loopback' || probe.address === address) &&
          findBad(result)?.kind === 'silence',
      )
      return listens && silent.length > 0 ? [{ key, port, silent }] : []
    })
    const [first] = found
    if (first === undefined) return []
    const pods = new Set(found.map(({ key }) => key)).size
    return [
      {
        confidence: 'certain',
        object: `pod/${first.key}`,
        field: 'spec.containers',
        value: String(first.port),
        says: `the application listens on ${first.port} and accepts no more connections: its backlog is full, and a SYN is dropped even within the pod (${pods} of ${new Set(backends.map(({ pod }) => pod)).size} pods)`,
        proof: first.silent.slice(0, 3).map(proofOf),
        twin: 'a policy or a firewall: those do not stand between a pod and itself',
        fix: {
          says: 'see what keeps the application from accepting (one blocked thread is enough); more replicas or a longer backlog (net.core.somaxconn) only help against bursts',
        },
        rung: 'loopback',
      },
    ]
  },
}
