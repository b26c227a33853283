import type { Rule } from '../cause.ts'
import { proofOf, serviceOf } from '../words.ts'

/** The client is in none of the Service's loadBalancerSourceRanges. */
export const sourceRanges: Rule = {
  covers: ['49'],
  judge({ tested, subject, stand }) {
    const dropped = tested.filter(
      ({ good, answer }) => !good && answer?.verdict.because.field.startsWith('spec.loadBalancerSourceRanges') === true,
    )
    const [first] = dropped
    if (first === undefined) return []
    const { because, says } = first.answer!.verdict
    const own = stand.outside.map((one) => `${one}/${one.includes(':') ? 128 : 32}`)
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: 'spec.loadBalancerSourceRanges',
        value: (subject.service.spec.loadBalancerSourceRanges ?? []).join(', ') || because.value,
        says,
        proof: dropped.map(proofOf),
        twin: 'an address that nobody announces is silent for everybody',
        fix: { says: `add the client's prefix, e.g. ${own.join(' or ')}` },
        rung: 'external',
      },
    ]
  },
}
