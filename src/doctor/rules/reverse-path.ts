import type { Rule } from '../cause.ts'
import { roseAt } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** A node drops what comes in by another link than the one that its answer would leave by (rp_filter). */
export const reversePath: Rule = {
  covers: ['82'],
  judge({ snapshot, rises = [], tested }) {
    return [...snapshot.nodes.keys()].flatMap((node) => {
      const reversePathDrops = roseAt(rises, `node/${node}`, 'reverse-path')
      const lost = tested.filter((one) => findBad(one.result)?.kind === 'silence' && passes(one, node))
      if (reversePathDrops === 0 || lost.length === 0) return []
      return [
        {
          confidence: 'certain' as const,
          object: `node/${node}`,
          field: 'net.ipv4.conf.all.rp_filter',
          value: '1',
          says: `${node} dropped ${reversePathDrops} packets while probes were sent, because they came in by another link than answers to them would leave by (strict rp_filter)`,
          proof: [`TcpExtIPReversePathFilter of ${node} rose by ${reversePathDrops}`, ...lost.slice(0, 2).map(proofOf)],
          twin: 'a firewall drops without this counter',
          fix: {
            says: `give ${node} a route back by the link on which such packets come, or set rp_filter to 2 (loose) there; the larger of conf.all and the link’s own counts`,
          },
          rung: 'own-node' as const,
        },
      ]
    })
  },
}
