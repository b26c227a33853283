import type { Rule } from '../cause.ts'
import { proofOf } from '../words.ts'

const full = 0.98

/** The table of connections is full: new ones are dropped, old ones go on. */
export const conntrackFull: Rule = {
  covers: ['60'],
  judge({ nodes, tested }) {
    const bad = tested.filter(({ good }) => !good)
    if (bad.length === 0) return []
    return nodes.flatMap(({ node, conntrack }) => {
      if (conntrack === undefined || conntrack.max === 0 || conntrack.count < conntrack.max * full) return []
      return [
        {
          confidence: 'certain' as const,
          object: `node/${node}`,
          field: 'net.netfilter.nf_conntrack_max',
          value: String(conntrack.max),
          says: `${node} tracks ${conntrack.count} connections of ${conntrack.max} at most: new ones are dropped`,
          proof: bad.slice(0, 3).map(proofOf),
          twin: 'a policy drops one client’s connections, this everybody’s, by chance',
          fix: { says: `raise net.netfilter.nf_conntrack_max on ${node}, and look who opens so many (conntrack -L)` },
          rung: 'own-node' as const,
        },
      ]
    })
  },
}
