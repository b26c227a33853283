import type { Rule } from '../cause.ts'
import { addressText, serviceOf } from '../words.ts'

/** Strangers keep their address on the way to another node's pod, so that its answer goes past the node that translated it. */
export const masquerade: Rule = {
  covers: ['83'],
  judge({ nodes, subject }) {
    return nodes.flatMap(({ node, proxy }) => {
      const [first] = proxy?.unmasked ?? []
      if (first === undefined) return []
      return [
        {
          confidence: 'certain' as const,
          object: `node/${node}`,
          field: 'nat postrouting',
          value: addressText(first),
          says: `${node} leads clients from outside on to pods of other nodes without masquerading them: the pods answer them past ${node}, from an address that they never asked`,
          proof: proxy!.unmasked
            .slice(0, 4)
            .map(
              (one) =>
                `${addressText(one)} of ${serviceOf(subject)} → ${one.endpoint}: no rule of ${node} masquerades a client from outside`,
            ),
          twin: 'a firewall: there nothing answers at all; here the pod answers and the client refuses it',
          fix: {
            says: `restart kube-proxy on ${node}, whose rules for marked packets (KUBE-POSTROUTING, chain masquerading) are gone or come too late; see its --cluster-cidr and --masquerade-all`,
          },
          rung: 'node-port' as const,
        },
      ]
    })
  },
}
