import { underlayAnnotation } from '../../cluster/index.ts'
import type { Step } from '../../explain/index.ts'
import type { Rule } from '../cause.ts'
import type { Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'

/** Everything between two nodes of different segments is lost, while both agents say that their kernels are right: the tunnel's packets do not arrive. */
export const tunnelCut: Rule = {
  covers: ['85'],
  judge({ tested, disagreements }) {
    const byTunnel = Map.groupBy(
      tested.filter(({ answer }) => answer?.verdict.kind === 'allow').flatMap(tunnelled),
      ({ step }) => `${step.node} ${step.because?.value}`,
    )
    return [...byTunnel.values()].flatMap((ways) => {
      const [first] = ways
      const lost = ways.filter(({ one }) => findBad(one.result)?.kind === 'silence')
      if (first === undefined || lost.length < ways.length) return []
      const { node = '', because, says } = first.step
      if (disagreements.some((step) => step.node === node)) return []
      return [
        {
          confidence: 'likely' as const,
          object: `node/${node}`,
          field: `metadata.annotations["${underlayAnnotation}"]`,
          value: because?.value ?? '',
          says: `nothing that ${node} sends through its tunnel is answered: ${says}`,
          proof: lost.slice(0, 3).map(({ one }) => proofOf(one)),
          twin: 'a larger packet alone is lost: there the tunnel is well, and the links between are too narrow and lose fragments',
          fix: {
            says: `let UDP of the tunnel's port pass both ways between ${node} and ${because?.value}: a router, a security group or a firewall drops it; or give all agents another --vxlan-port`,
          },
          rung: first.one.probe.rung,
        },
      ]
    })
  },
}

/** The tunnel that a probe goes through by the model, if it goes through one. */
function tunnelled(one: Tested): { one: Tested; step: Step }[] {
  const steps = [...(one.answer?.steps ?? []), ...(one.answer?.branches.flatMap((branch) => branch.steps) ?? [])]
  // Of a choice among endpoints nobody knows which one was asked.
  if ((one.answer?.branches.length ?? 0) > 1) return []
  const step = steps.find(({ stage, because }) => stage === 'link' && because?.field.includes(underlayAnnotation))
  return step === undefined ? [] : [{ one, step }]
}
