import { internalAddresses } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { findBad, type Rung } from '../probe.ts'
import { proofOf } from '../words.ts'

/** A ClusterIP is no place that routes lead to: a packet for one that wanders was led on by no rule, which others tell. */
const byRules: readonly Rung[] = ['name', 'cluster-ip', 'hairpin']

/** A packet goes round until its TTL is over, and a router on the way says so. */
export const routingLoop: Rule = {
  covers: ['93'],
  judge({ tested, snapshot }) {
    const found = tested.flatMap((one) => {
      const bad = byRules.includes(one.probe.rung) ? undefined : findBad(one.result)
      const from = bad?.kind === 'unreachable' ? /time exceeded from (\S+)/.exec(bad.says)?.[1] : undefined
      return from === undefined ? [] : [{ one, from }]
    })
    const [first] = found
    if (first === undefined) return []
    const node = [...snapshot.nodes].find(([, object]) => internalAddresses(object).some((own) => own === first.from))
    return [
      {
        confidence: 'certain',
        object: node === undefined ? `address/${first.from}` : `node/${node[0]}`,
        field: 'routes',
        value: first.one.probe.address,
        says: `packets to ${first.one.probe.address} go round in a circle until their TTL is over, as ${first.from} says: two machines have routes to it that lead to one another`,
        proof: found.slice(0, 3).map(({ one }) => proofOf(one)),
        twin: 'a route that is missing: there the answer is "unreachable"',
        fix: { says: `ip route get ${first.one.probe.address} on ${first.from} and on the next hop that it names` },
        rung: first.one.probe.rung,
      },
    ]
  },
}
