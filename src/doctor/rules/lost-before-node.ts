import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad } from '../probe.ts'
import { addressText, proofOf } from '../words.ts'

/** What outside sends does not come in at the node that it is sent to: who drops it stands before the nodes. */
export const lostBeforeNode: Rule = {
  covers: ['51'],
  judge(examination) {
    const lost = on(examination, 'node-port').filter(
      ({ result, probe }) =>
        probe.target !== undefined &&
        findBad(result)?.kind === 'silence' &&
        result.tries.every(({ wire }) => wire !== undefined && wire.sent > 0 && wire.arrived === 0),
    )
    const [first] = lost
    if (first === undefined) return []
    const nodes = [...new Set(lost.map(({ probe }) => probe.target))]
    return [
      {
        confidence: 'certain',
        object: first.probe.target ?? '',
        field: 'way in',
        value: addressText(first.probe),
        says: `what is sent from outside to ${addressText(first.probe)} leaves and never comes in at ${nodes.join(', ')}: a firewall, a security group or a router before the nodes drops it`,
        proof: lost.slice(0, 3).map((one) => {
          const { sent = 0 } = one.result.tries[0]?.wire ?? {}
          return `${proofOf(one)}; ${sent} ${sent === 1 ? 'packet' : 'packets'} left, none came in`
        }),
        twin: 'a firewall on the node: there the packet comes in',
        fix: {
          says: `allow TCP ${first.probe.port} (node ports: 30000-32767) to the nodes where packets from outside are filtered`,
        },
        rung: 'node-port',
      },
    ]
  },
}
