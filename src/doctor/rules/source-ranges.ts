import type { Rule } from '../cause.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'

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
    const ranges = subject.service.spec.loadBalancerSourceRanges ?? []
    const family = first.probe.address.includes(':')
    const own = stand.outside
      .filter((one) => one.includes(':') === family)
      .map((one) => `${one}/${one.includes(':') ? 128 : 32}`)
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: 'spec.loadBalancerSourceRanges',
        value: ranges.join(', ') || because.value,
        says,
        proof: dropped.map(proofOf),
        twin: 'an address that nobody announces is silent for everybody',
        fix: {
          says: `add the client's prefix, e.g. ${own.join(' or ')}`,
          ...(own.length === 0
            ? {}
            : { patch: patchService(subject, { spec: { loadBalancerSourceRanges: [...ranges, ...own] } }) }),
        },
        rung: 'external',
      },
    ]
  },
}
