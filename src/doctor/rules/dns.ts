import { type Address, familyOf } from '../../addr/index.ts'
import { explainConnection } from '../../explain/index.ts'
import type { Rule } from '../cause.ts'
import { type Examination, on } from '../examination.ts'
import { findBad, type Place, renderPlace } from '../probe.ts'
import { proofOf, serviceOf } from '../words.ts'

/** The name does not become an address: the cluster's DNS is not reached, or does not know the name. */
export const dns: Rule = {
  covers: ['45', '52', '53', '9'],
  judge(examination) {
    const { snapshot, subject, facts } = examination
    const [bad] = on(examination, 'name').filter(({ good }) => !good)
    if (bad === undefined) return []
    const { from } = bad.probe
    const outcome = findBad(bad.result)
    if (outcome?.kind === 'garbled') {
      return [
        {
          confidence: 'likely',
          object: serviceOf(subject),
          field: 'metadata.name',
          value: subject.service.metadata.name,
          says: `the cluster's DNS does not know the Service: ${outcome.says}`,
          proof: [proofOf(bad)],
          twin: 'a DNS server that is not reached is silent',
          fix: {
            says: 'see whether the DNS server follows the API server (kubectl logs -n kube-system -l k8s-app=kube-dns)',
          },
          rung: 'name',
        },
      ]
    }
    if (from.kind !== 'pod') return []
    const way = explainConnection(
      snapshot,
      { from, to: { kind: 'address', address: bad.probe.address }, port: 53, transport: 'udp' },
      facts,
    )
    const denied = way.verdict.kind === 'deny'
    return [
      {
        // Where no ClusterIP answers, DNS is one of many.
        confidence: denied ? 'certain' : reachesNone(examination, from, bad.probe.address) ? 'possible' : 'likely',
        object: denied ? way.verdict.because.object : 'service/kube-system/kube-dns',
        field: denied ? way.verdict.because.field : 'spec.selector',
        value: denied ? way.verdict.because.value : '',
        says: `pod/${from.namespace}/${from.name} gets no answer from the cluster's DNS${denied ? `: ${way.verdict.says}` : ', although nothing that is known keeps it from there'}`,
        proof: [proofOf(bad)],
        twin: 'a wrong name is answered with NXDOMAIN, at once',
        fix: {
          says: denied
            ? `apply what "plumb policy recipe allow-dns" prints in namespace ${from.namespace}`
            : 'plumb doctor svc/kube-dns -n kube-system',
        },
        rung: 'name',
      },
    ]
  },
}

/** Whether the client gets to nobody by the ClusterIP of the subject either, although it gets to the pods. */
function reachesNone(examination: Examination, from: Place, dns: Address): boolean {
  const place = renderPlace(from)
  const mine = (rung: 'cluster-ip' | 'client-pod') =>
    on(examination, rung).filter(
      ({ probe }) => renderPlace(probe.from) === place && familyOf(probe.address) === familyOf(dns),
    )
  const asked = mine('cluster-ip')
  return asked.length > 0 && asked.every(({ good }) => !good) && mine('client-pod').some(({ good }) => good)
}
