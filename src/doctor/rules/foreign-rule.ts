import type { Rule } from '../cause.ts'
import type { Tested } from '../examination.ts'
import { renderPlace } from '../probe.ts'
import type { Stop } from '../proxy.ts'
import { addressText, proofOf } from '../words.ts'
import { passes } from './way.ts'

/** A rule that is neither kube-proxy's nor Plumb's ends the packet, and its very text is known. */
export const foreignRule: Rule = {
  covers: ['50'],
  judge({ nodes, tested }) {
    return nodes.flatMap(({ node, stops = [] }) => {
      const byRule = Map.groupBy(stops, ({ rule }) => rule)
      return [...byRule].flatMap(([rule, all]) => {
        const bad = tested.filter((one) => !one.good && all.some((stop) => isAsked(one, stop)) && passes(one, node))
        // Of the packets that it ends, one that a probe was seen to lose.
        const first = all.find((stop) => bad.some((one) => isAsked(one, stop))) ?? all[0]
        if (bad.length === 0 || first === undefined) return []
        const sure = all.some((one) => one.sure)
        const counted = first.packets === undefined ? '' : `; it has met ${first.packets} packets so far`
        return [
          {
            confidence: sure ? ('certain' as const) : ('possible' as const),
            object: `node/${node}`,
            field: rule.split(': ')[0] ?? 'rules',
            value: rule.slice(rule.indexOf(': ') + 2),
            says: sure
              ? `a rule on ${node} that is not kube-proxy’s ends it: ${rule}`
              : `a rule on ${node} may end it, by something that cannot be known beforehand: ${rule}`,
            proof: [
              `the first packet of ${first.client} → ${addressText(first)} ends there${counted}`,
              ...bad.slice(0, 2).map(proofOf),
            ],
            twin: 'a NetworkPolicy, whose enforcer writes rules too: its chains bear its name',
            fix: { says: remedy(rule, node) },
            rung: bad[0]!.probe.rung,
          },
        ]
      })
    })
  },
}

/** Whether the probe's packets are those that the rule ends: before or after they are led on. */
function isAsked({ probe, answer }: Tested, { from, address, port }: Stop): boolean {
  if (renderPlace(probe.from) !== from) return false
  if (probe.address === address && probe.port === port) return true
  return (answer?.branches ?? []).some(({ endpoint }) => endpoint.address === address && endpoint.port === port)
}

function remedy(rule: string, node: string): string {
  return rule.endsWith(': policy drop')
    ? `accept in that chain on ${node} what goes to and from pods, or let its policy be accept; find out who set it first`
    : `take that rule out on ${node}, or let the packet pass before it; find out who writes it first`
}
