import { keyOf } from '../../cluster/index.ts'
import { selects } from '../../endpoints/index.ts'
import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { isReady, reasonOf } from '../pod-state.ts'
import { proofOf, serviceOf } from '../words.ts'

/** Pods are selected, and none may take connections: not ready, on no node, ended or on their way out. */
export const podsNotReady: Rule = {
  covers: ['7', '8', '19', '96'],
  judge(examination) {
    const { snapshot, subject } = examination
    const { service } = subject
    if (service.spec.publishNotReadyAddresses === true) return []
    const pods = [...snapshot.pods.values()].filter((pod) => selects(service, pod))
    if (pods.length === 0 || pods.some(isReady)) return []
    const [first] = pods
    if (first === undefined) return []
    const { field, value, says, remedy } = reasonOf(first)
    const direct = on(examination, 'pod').filter(({ probe }) => probe.target === `pod/${keyOf(first)}`)
    return [
      {
        confidence: 'certain',
        object: `pod/${keyOf(first)}`,
        field,
        value,
        says: `none of the ${pods.length} pods that ${serviceOf(subject)} selects is ready; pod/${keyOf(first)} ${says}`,
        proof: direct.map(proofOf),
        twin: 'a selector that matches nothing: there no slice lists an endpoint',
        fix: { says: remedy },
        rung: 'cluster-ip',
      },
    ]
  },
}
