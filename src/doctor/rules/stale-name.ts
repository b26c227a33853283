import { parseAddress } from '../../addr/index.ts'
import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { serviceOf } from '../words.ts'

/** A client keeps asking an address that DNS gave it once and no pod has any more. Only headless Services give addresses of pods away. */
export const staleName: Rule = {
  covers: ['54'],
  judge({ nodes, subject, snapshot }) {
    if (subject.service.spec.clusterIP !== 'None') return []
    const all = nodes.flatMap(({ node, lost = [] }) => lost.map((one) => ({ ...one, node })))
    return [...Map.groupBy(all, ({ client }) => client)].slice(0, 4).map(([client, some]) => {
      const pod = snapshot.findPod(parseAddress(client))
      const asked = [...new Set(some.map((one) => one.asked))]
      return {
        confidence: 'certain' as const,
        object: pod === undefined ? `address/${client}` : `pod/${keyOf(pod)}`,
        field: 'spec.containers',
        value: asked.join(', '),
        says: `${pod === undefined ? client : `pod/${keyOf(pod)}`} keeps asking ${asked.join(', ')}, which no pod has any more: it holds on to an answer of DNS for ${serviceOf(subject)} whose time is over`,
        proof: some.slice(0, 3).map((one) => `tcp ${one.client} → ${one.asked}, unanswered, on ${one.node}`),
        twin: 'a stale entry of connection tracking: there the client asks the right address, and a node leads it elsewhere',
        fix: {
          says: 'let the client ask DNS again when a connection fails (JVM: networkaddress.cache.ttl; gRPC: dns resolver with max connection age), and restart it now',
        },
        rung: 'name' as const,
      }
    })
  },
}
