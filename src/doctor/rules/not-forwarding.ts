import { families } from '../../addr/index.ts'
import type { Rule } from '../cause.ts'
import { proofOf } from '../words.ts'

/** The kernel of a node does not forward: pods there reach nobody, and nobody them. */
export const notForwarding: Rule = {
  covers: ['91'],
  judge({ nodes, tested }) {
    return nodes.flatMap(({ node, forwarding }) =>
      families.flatMap((family) => {
        if (forwarding[family] !== false) return []
        const bad = tested.filter(
          ({ good, probe }) => !good && probe.rung !== 'loopback' && probe.address.includes(':') === (family === 6),
        )
        if (bad.length === 0) return []
        const name = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding'
        return [
          {
            confidence: 'certain' as const,
            object: `node/${node}`,
            field: name,
            value: '0',
            says: `${node} does not forward IPv${family} packets (${name} is 0): its pods are cut off from everybody but the node itself`,
            proof: bad.slice(0, 3).map(proofOf),
            twin: 'a foreign firewall: there the sysctl is 1',
            fix: { says: `sysctl -w ${name}=1 on ${node}, and find out who turned it off` },
            rung: 'other-node' as const,
          },
        ]
      }),
    )
  },
}
