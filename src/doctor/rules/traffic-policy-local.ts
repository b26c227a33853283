import type { Rule } from '../cause.ts'
import type { Tested } from '../examination.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'

/** Policy Local on a node that has no endpoint: silence there, answers elsewhere. */
export const trafficPolicyLocal: Rule = {
  covers: ['64', '65'],
  judge({ tested, subject }) {
    const silent = tested.filter(
      ({ good, answer }) =>
        !good &&
        answer?.verdict.kind === 'deny' &&
        ['spec.externalTrafficPolicy', 'spec.internalTrafficPolicy'].includes(answer.verdict.because.field),
    )
    const byField = new Map<string, Tested[]>()
    for (const one of silent) {
      const { field } = one.answer!.verdict.because
      byField.set(field, [...(byField.get(field) ?? []), one])
    }
    return [...byField].map(([field, some]) => {
      const name = field.slice('spec.'.length)
      const at = [...new Set(some.flatMap(({ answer }) => answer?.steps.at(-1)?.node ?? []))]
      const nodes = [
        ...new Set(subject.backends.flatMap(({ ready, node }) => (ready && node !== undefined ? [node] : []))),
      ]
      return {
        confidence: 'certain' as const,
        object: serviceOf(subject),
        field,
        value: 'Local',
        says: `${name} is Local and ${at.join(', ') || 'the node'} ${at.length > 1 ? 'have' : 'has'} no ready endpoint (they are on ${nodes.join(', ') || 'no node'}): dropped there without an answer`,
        proof: some.slice(0, 4).map(proofOf),
        twin: 'a node whose rules are stale: there the kernel disagrees with the model',
        fix: {
          says: `let every node lead to every endpoint (with ${name}: Cluster${name === 'externalTrafficPolicy' ? ', pods see the node instead of the client' : ''}), or send clients only to nodes with endpoints`,
          patch: patchService(subject, { spec: { [name]: 'Cluster' } }),
        },
        rung: some[0]!.probe.rung,
      }
    })
  },
}
