import type { Cause, Rule } from '../cause.ts'
import { type Examination, roseAt } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** Every local port towards one address and port is taken: by the machine's own connections, or by those that it masquerades. */
export const portsExhausted: Rule = {
  covers: ['61', '70'],
  judge(examination) {
    return [...ofOwn(examination), ...ofOthers(examination)]
  },
}

function ofOwn({ tested, nodes }: Examination): Omit<Cause, 'rule'>[] {
  const found = tested.filter(({ result }) => findBad(result)?.kind === 'exhausted')
  const [first] = found
  if (first === undefined) return []
  const place = renderPlace(first.probe.from)
  const range = nodes.find(({ node }) => place === `node/${node}`)?.localPorts
  return [
    {
      confidence: 'certain',
      object: place,
      field: 'net.ipv4.ip_local_port_range',
      value: range ?? '',
      says: `${place} has no local port left for connections to ${first.probe.address}:${first.probe.port}${range === undefined ? '' : ` (${range})`}: connect says EADDRNOTAVAIL, and a gateway there says 503`,
      proof: found.slice(0, 3).map(proofOf),
      twin: 'a backend that refuses: there a packet leaves, here none does',
      fix: {
        says: `see who holds so many connections on ${place} (ss -tan dst ${first.probe.address}); let it reuse them, or widen net.ipv4.ip_local_port_range`,
      },
      rung: first.probe.rung,
    },
  ]
}

function ofOthers({ nodes, rises = [], tested }: Examination): Omit<Cause, 'rule'>[] {
  return nodes.flatMap((state) => {
    const { node, crowd } = state
    const refused = roseAt(rises, `node/${node}`, 'tracking')
    if (crowd === undefined || refused === 0) return []
    const lost = tested.filter((one) => findBad(one.result)?.kind === 'silence' && passes(one, node))
    if (lost.length === 0) return []
    return [
      {
        confidence: 'certain' as const,
        object: `node/${node}`,
        field: 'connections',
        value: String(crowd.connections),
        says: `${node} leads ${crowd.connections} connections to ${crowd.endpoint} under the one address ${crowd.as}: there is hardly a source port left, and ${refused} new ones were dropped while probes were sent`,
        proof: [
          `insert_failed and drop of nf_conntrack on ${node} rose by ${refused}`,
          `${crowd.connections} connections ${crowd.as} → ${crowd.endpoint}`,
          ...lost.slice(0, 2).map(proofOf),
        ],
        twin: 'a full table of connections: there old ones count, whatever their addresses',
        fix: {
          says: `see who opens so many and keeps them (conntrack -L --reply-src on ${node}); more endpoints, externalTrafficPolicy: Local or more addresses give more room`,
        },
        rung: 'node-port' as const,
      },
    ]
  })
}
