import type { Rule } from '../cause.ts'
import { type Examination, on } from '../examination.ts'
import { findBad } from '../probe.ts'
import { portField, proofOf, serviceOf } from '../words.ts'

/** A NetworkPolicy denies the connection, by the model, and the wire agrees: silence. */
export const policyDenies: Rule = {
  covers: ['43', '44', '46', '47'],
  judge(examination) {
    const { subject } = examination
    const denied = on(examination, 'client-pod', 'cluster-ip', 'other-node', 'node-port', 'external').filter(
      ({ good, answer }) => !good && answer?.verdict.kind === 'deny' && isPolicy(answer.verdict.because.object),
    )
    const byPolicy = new Map<string, (typeof denied)[number][]>()
    for (const one of denied) {
      const { object } = one.answer!.verdict.because
      byPolicy.set(object, [...(byPolicy.get(object) ?? []), one])
    }
    return [...byPolicy].map(([object, some]) => {
      const first = some[0]!
      const { verdict } = first.answer!
      const silent = some.every(({ result }) => findBad(result)?.kind === 'silence')
      const number = String(subject.backends[0]?.port ?? '')
      const mistaken = namesServicePort(examination, object)
        ? `; it names the Service's port ${subject.port.port}, and policies see the pod's port ${number}`
        : ''
      return {
        confidence: silent ? ('certain' as const) : ('likely' as const),
        object,
        field: verdict.because.field,
        value: verdict.because.value,
        says: `${verdict.says}${mistaken}`,
        proof: some.slice(0, 3).map(proofOf),
        twin: 'a port on which nothing listens is refused with RST, a policy is silent',
        fix: {
          says: `allow port ${number} of the pods of ${serviceOf(subject)} (${portField(subject)}.targetPort) to this client in a NetworkPolicy`,
        },
        rung: first.probe.rung,
      }
    })
  },
}

function isPolicy(object: string): boolean {
  return /^(networkpolicy|clusternetworkpolicy|adminnetworkpolicy|baselineadminnetworkpolicy)\//.test(object)
}

/** The commonest slip: policies count after the Service's address and port have been translated. */
function namesServicePort({ snapshot, subject }: Examination, object: string): boolean {
  const spec = snapshot.policies.get(object.replace(/^networkpolicy\//, ''))?.spec
  const rules = [...(spec?.ingress ?? []), ...(spec?.egress ?? [])]
  const ports = rules.flatMap((rule) => rule.ports ?? []).map(({ port }) => port)
  return ports.includes(subject.port.port) && !ports.includes(subject.backends[0]?.port)
}
