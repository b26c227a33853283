import { keyOf, LiveSnapshot, type Snapshot } from '../cluster/index.ts'
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
  const zone = compileZone(namesakes(snapshot, [name, namespace]), { clusterDomain: facts.clusterDomain })
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

/**
 * The part of the cluster whose names the resolver can meet on the way: the labels that it asks for are the Service's name and
 * its namespace, under the suffixes of the search path. The zone of a whole cluster takes a second.
 */
function namesakes(snapshot: Snapshot, names: readonly string[]): Snapshot {
  const part = new LiveSnapshot()
  for (const [key, namespace] of snapshot.namespaces) part.put('namespaces', key, namespace)
  for (const [key, service] of snapshot.services) {
    if (!names.includes(service.metadata.name)) continue
    part.put('services', key, service)
    for (const slice of snapshot.slicesOf(key)) part.put('slices', keyOf(slice), slice)
  }
  return part
}
