import type { Collected } from './examination.ts'
import type { Owners } from './owners.ts'
import { type Place, wasSent } from './probe.ts'

/** What was collected on one of the nodes, for the same subject and stand. */
export interface CollectedOn {
  readonly node: string
  readonly collected: Collected
}

/** What this machine collected, with what was on nodes that it does not see: each thing is told by the machine that it is at. */
export function mergeCollected(own: Collected, others: readonly CollectedOn[]): Collected {
  if (others.length === 0) return own
  const all = [own, ...others.map(({ collected }) => collected)]
  const at = (place: Place): Collected | undefined => {
    const node = place.kind === 'node' ? place.name : place.kind === 'pod' ? nodeOf(own, place) : undefined
    return others.find((one) => one.node === node)?.collected
  }
  const results = own.results.map((result) => {
    const { id, from } = result.probe
    return wasSent(result) ? result : (at(from)?.results.find(({ probe }) => probe.id === id) ?? result)
  })
  const controls = own.controls.map((control, index) =>
    control.unseen === undefined ? control : (at(control.plan.place)?.controls[index] ?? control),
  )
  const kernel = new Map(own.kernel)
  for (const { collected } of others)
    for (const [question, said] of collected.kernel) if (said.kind !== 'unseen') kernel.set(question, said)
  const known = new Set(own.nodes.map(({ node }) => node))
  return {
    ...own,
    results,
    controls,
    kernel,
    sockets: new Map(all.flatMap(({ sockets }) => [...sockets])),
    nodes: [...own.nodes, ...others.flatMap(({ collected }) => collected.nodes).filter(({ node }) => !known.has(node))],
    owners: mergeOwners(all.flatMap(({ owners = [] }) => owners)),
    rises: all.flatMap(({ rises = [] }) => rises),
  }
}

function nodeOf({ snapshot }: Collected, { namespace, name }: Extract<Place, { kind: 'pod' }>): string | undefined {
  return snapshot.pods.get(`${namespace}/${name}`)?.spec.nodeName
}

/** Who was heard anywhere. */
function mergeOwners(all: readonly Owners[]): readonly Owners[] {
  const byAddress = Map.groupBy(all, ({ address }) => address)
  return [...byAddress.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const every = (field: 'owners' | 'askedFrom' | 'unasked') => [...new Set(same.flatMap((one) => one[field]))]
    return [{ ...first, owners: every('owners').sort(), askedFrom: every('askedFrom'), unasked: every('unasked') }]
  })
}
