import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'

/** A pod reaches its Service but for the times when it is chosen itself. */
export const hairpin: Rule = {
  covers: ['63'],
  judge(examination) {
    const { subject } = examination
    const others = on(examination, 'cluster-ip')
    if (others.length === 0 || others.some(({ good }) => !good)) return []
    return on(examination, 'hairpin').flatMap((one) => {
      const bad = one.result.tries.filter(({ outcome }) => outcome.kind === 'silence').length
      if (bad === 0 || findBad(one.result)?.kind !== 'silence') return []
      const ready = subject.backends.filter(
        (backend) => backend.ready && backend.address.includes(':') === one.probe.address.includes(':'),
      ).length
      return [
        {
          confidence: 'likely' as const,
          object: renderPlace(one.probe.from),
          field: 'hairpin',
          value: `${bad} of ${one.result.tries.length}`,
          says: `the pod does not reach itself through its own Service: ${bad} of ${one.result.tries.length} tries were lost with ${ready} endpoints, others reach it`,
          proof: [proofOf(one)],
          twin: 'one bad endpoint: then other clients lose connections too',
          fix: {
            says: 'the answer must come back through the node: see the rule that masquerades a pod that calls itself (nft list table ip plumb-services), and rp_filter on its link',
          },
          rung: 'hairpin' as const,
        },
      ]
    })
  },
}
