import type { Snapshot } from '../cluster/index.ts'
import { compileZone, explainName as explainLookup, searchPathOf } from '../dns/index.ts'
import type { Service } from '../objects/index.ts'
import type { Step } from './answer.ts'
import type { Source } from './end.ts'

/**
 * How the source comes from a Service's name to an address: the name as an application in that namespace would write it, over
 * the search path of its pod. A node does not ask the cluster's DNS, so nothing is said for it.
 */
export function explainName(
  snapshot: Snapshot,
  source: Source,
  service: Service,
  facts: { readonly clusterDomain: string },
): { readonly steps: readonly Step[] } {
  if (source.pod === undefined) return { steps: [] }
  const { name, namespace = '' } = service.metadata
  const written = namespace === source.pod.metadata.namespace ? name : `${name}.${namespace}`
  const zone = compileZone(snapshot, { clusterDomain: facts.clusterDomain })
  const { says, tried } = explainLookup(zone, written, searchPathOf(source.pod, facts.clusterDomain))
  const decided = tried.at(-1)
  const before = tried
    .slice(0, -1)
    .map((one): Step => ({ stage: 'name', node: source.node, says: one.says, because: one.because }))
  const last: Step = {
    stage: 'name',
    node: source.node,
    says,
    ...(decided === undefined ? {} : { because: decided.because }),
  }
  return { steps: [...before, last] }
}
