import type { Rule } from '../cause.ts'
import { serviceOf } from '../words.ts'

/** Connection tracking still leads a client to an endpoint that is gone: its packets meet no rule any more. */
export const staleConnection: Rule = {
  covers: ['58', '59'],
  judge({ nodes, subject }) {
    return nodes.flatMap(({ node, stale = [] }) => {
      const [first] = stale
      if (first === undefined) return []
      const udp = first.transport === 'udp'
      return [
        {
          // A TCP connection that goes on to a pod that leaves is how it should be.
          confidence: udp ? ('certain' as const) : ('possible' as const),
          object: `node/${node}`,
          field: 'connections',
          value: first.endpoint,
          says: `${node} still leads ${first.client} from ${first.asked}/${first.transport} to ${first.endpoint}, which is no endpoint of ${serviceOf(subject)} any more: its packets go there until the entry ends`,
          proof: stale
            .slice(0, 4)
            .map((one) => `${one.transport} ${one.client} → ${one.asked}, answered by ${one.endpoint}`),
          twin: 'a client with another source port is served',
          fix: {
            says: udp
              ? `conntrack -D -p udp --orig-dst ${hostOf(first.asked)} on ${node}; see why who writes the rules there did not`
              : 'nothing, where the pod is ending: new connections go elsewhere; else have the client connect again',
          },
          rung: 'cluster-ip' as const,
        },
      ]
    })
  },
}

function hostOf(text: string): string {
  return text.slice(0, text.lastIndexOf(':'))
}
