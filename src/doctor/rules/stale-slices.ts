import { contains } from '../../addr/index.ts'
import { keyOf } from '../../cluster/index.ts'
import { explainEndpoint, hasSelectedEndpoints, selects } from '../../endpoints/index.ts'
import { nodePrefixes } from '../../pods/index.ts'
import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { proofOf, serviceOf } from '../words.ts'

/** The EndpointSlices do not say what the pods are: kept by hand and old, or nobody follows. */
export const staleSlices: Rule = {
  covers: ['11', '56'],
  judge(examination) {
    const { snapshot, subject } = examination
    const { service, backends } = subject
    const slices = snapshot.slicesOf(keyOf(service))
    const prefixes = [...snapshot.nodes.values()].flatMap(nodePrefixes)
    const byHand = !hasSelectedEndpoints(service)
    const ghosts = backends.filter(
      ({ address, pod, ready }) =>
        ready &&
        pod === undefined &&
        prefixes.some((prefix) => contains(prefix, address)) &&
        !isHost(examination, address),
    )
    const direct = on(examination, 'own-node', 'other-node', 'client-pod').filter(
      ({ good, probe }) => !good && ghosts.some(({ address }) => address === probe.address),
    )
    const [ghost] = ghosts
    if (ghost !== undefined) {
      const slice = slices.find(({ endpoints }) => endpoints.some(({ addresses }) => addresses.includes(ghost.address)))
      return [
        {
          confidence: 'certain',
          object: slice === undefined ? serviceOf(subject) : `endpointslice/${keyOf(slice)}`,
          field: 'endpoints',
          value: ghost.address,
          says: `a slice lists ${ghost.address}, which no pod has${byHand ? ': it is kept by hand, since the Service has no selector' : ': the controllers have not caught up'}`,
          proof: direct.slice(0, 2).map(proofOf),
          twin: 'a pod that is there and does not answer',
          fix: {
            says: byHand
              ? 'correct the addresses in the slice, or give the Service a selector'
              : 'see whether the controllers run (the EndpointSlice controller)',
          },
          rung: 'own-node',
        },
      ]
    }
    if (byHand) return []
    const missing = [...snapshot.pods.values()].find((pod) => {
      if (!selects(service, pod)) return false
      const node = snapshot.nodes.get(pod.spec.nodeName ?? '')
      const { steps } = explainEndpoint({ service, pod, node, slices })
      const blocks = steps.filter(({ kind }) => kind === 'blocks')
      return blocks.length === 1 && blocks[0]?.because.field === 'endpointslices'
    })
    if (missing === undefined) return []
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: 'endpointslices',
        value: String(slices.length),
        says: `pod/${keyOf(missing)} is selected and ready, and no EndpointSlice lists it: the controllers have not caught up`,
        proof: [`${slices.length} slices`],
        twin: 'a selector that misses the pod',
        fix: { says: 'see whether the controllers run (the EndpointSlice controller)' },
        rung: 'cluster-ip',
      },
    ]
  },
}

/** Pods of their node's network are endpoints under an address that is no pod's own. */
function isHost({ snapshot }: Parameters<Rule['judge']>[0], address: string): boolean {
  return [...snapshot.pods.values()].some((pod) => pod.status?.podIPs?.some(({ ip }) => ip === address) === true)
}
