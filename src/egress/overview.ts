import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import { type Finding, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Node, Pod } from '../objects/index.ts'
import { decideExit } from './decide.ts'
import { EgressIndex } from './egress-index.ts'
import { candidate } from './explain.ts'
import type { EgressModel, EgressNode, Exit } from './model.ts'
import { readEgressNodes } from './node-index.ts'

/** A pod that an Egress selects. */
export interface PodExit {
  readonly pod: string
  readonly node: string
  /** An older Egress that selects it too and holds. */
  readonly heldBy: string | undefined
  /** How it leaves, for each family of its addresses; none while it has no address. */
  readonly exits: readonly { readonly family: Family; readonly exit: Exit }[]
}

/** What an Egress comes to: its addresses that count, each selected pod's way out, and what is wrong with it. */
export interface EgressOverview {
  readonly model: EgressModel
  readonly pods: readonly PodExit[]
  readonly findings: readonly Finding[]
}

/** Judges one Egress among all of them; undefined where there is none of that name. */
export function surveyEgress(
  snapshot: Snapshot,
  name: string,
  world: {
    readonly addressesOf: (node: Node) => EgressNode['addresses']
    readonly owners: ReadonlyMap<Address, string>
    readonly inCluster: (address: Address) => string | undefined
  },
): EgressOverview | undefined {
  const index = new EgressIndex()
  for (const [key, egress] of snapshot.egresses) index.put(key, egress)
  index.settle(world.inCluster)
  const model = index.get(name)
  if (model === undefined) return undefined
  const { nodes } = readEgressNodes(snapshot.nodes.values(), world.addressesOf)
  const pods = [...snapshot.pods.values()].flatMap((pod): PodExit[] => {
    if (pod.spec.hostNetwork === true || pod.spec.nodeName === undefined) return []
    const selecting = index.selecting(candidate(snapshot, pod))
    if (!selecting.includes(model)) return []
    const node = pod.spec.nodeName
    const holds = selecting[0] === model
    const place = { node, nodes, owners: world.owners }
    const exits = familiesOf(pod).map((family) => ({ family, exit: decideExit(model, family, keyOf(pod), place) }))
    return [{ pod: keyOf(pod), node, heldBy: holds ? undefined : selecting[0]?.object, exits: holds ? exits : [] }]
  })
  return {
    model,
    pods: pods.sort((a, b) => (a.pod < b.pod ? -1 : 1)),
    findings: index.findings.filter(({ object }) => object === model.object),
  }
}

function familiesOf({ status }: Pod): Family[] {
  const addresses = (status?.podIPs ?? []).flatMap(({ ip }) => findAddress(ip) ?? [])
  return [...new Set(addresses.map(familyOf))]
}
