import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { proofOf, serviceOf } from '../words.ts'

/** Two machines answer for one external address, or one that is no node: clients go to whichever they heard last. */
export const addressOwner: Rule = {
  covers: ['77'],
  judge(examination) {
    const { owners = [], snapshot, subject } = examination
    return owners.flatMap(({ address, owners: who, askedFrom }) => {
      const bad = on(examination, 'external').filter(({ good, probe }) => !good && probe.address === address)
      const strangers = who.filter((one) => !snapshot.nodes.has(one))
      if (who.length < 2 && (strangers.length === 0 || bad.length === 0)) return []
      const several = who.length > 1
      return [
        {
          confidence: 'certain' as const,
          object: serviceOf(subject),
          field: (subject.service.spec.externalIPs ?? []).includes(address)
            ? 'spec.externalIPs'
            : 'status.loadBalancer.ingress',
          value: address,
          says: several
            ? `${who.join(' and ')} answer for ${address} at once: clients and routers go to whichever they heard last`
            : `${strangers[0]}, which is no node’s, answers for ${address}: another machine has the address`,
          proof: [`asked by ARP or NDP from ${askedFrom.join(', ')}`, ...bad.slice(0, 2).map(proofOf)],
          twin: 'an address that nobody announces: then nobody answers',
          fix: {
            says:
              strangers.length > 0
                ? `find the machine with ${strangers.join(' and ')} (its port at the switch, arping) and take ${address} from it, or give the Service another address`
                : `let one program alone announce ${address}: two load-balancer controllers, or addresses on kube-ipvs0 without strictARP`,
          },
          rung: 'external' as const,
        },
      ]
    })
  },
}
