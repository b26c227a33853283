import type { Rule } from '../cause.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** Model and kernel say that it works, packets are lost all the same, and somebody else has rules on a node of the way. */
export const foreignFirewall: Rule = {
  covers: ['50', '85'],
  judge({ tested, nodes, disagreements }) {
    const lost = tested.filter(({ good, answer, result }) => {
      const bad = findBad(result)
      const dropped = bad?.kind === 'silence' || (bad?.kind === 'refused' && bad.by !== 'reset')
      return !good && dropped && answer?.verdict.kind === 'allow'
    })
    if (lost.length === 0) return []
    return nodes.flatMap(({ node, foreignTables }) => {
      const mine = lost.filter((one) => passes(one, node))
      // What goes by this node and is well speaks for it only where nothing is lost.
      if (foreignTables.length === 0 || mine.length === 0 || disagreements.some((one) => one.node === node)) return []
      return [
        {
          confidence: mine.length === lost.length ? ('likely' as const) : ('possible' as const),
          object: `node/${node}`,
          field: 'nftables',
          value: foreignTables.join(', '),
          says: `Plumb's rules let it pass, and packets are lost on the way over ${node}, where others have rules: ${foreignTables.map((one) => `table ${one}`).join(', ')}`,
          proof: mine.slice(0, 3).map(proofOf),
          twin: 'a NetworkPolicy: there the model denies the connection',
          fix: { says: `see which rule drops: nft list ruleset on ${node}, with counters` },
          rung: mine[0]!.probe.rung,
        },
      ]
    })
  },
}
