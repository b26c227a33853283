import type { Address } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { internalAddresses } from '../cluster/index.ts'
import { type Collected, frontsOf, gatherOwners, type Place, renderPlace, type Subject } from '../doctor/index.ts'
import { askOwner } from '../probes/index.ts'
import type { Sight } from './sight.ts'

const maxNodes = 4

/** Asks the segments of a few machines that can be entered who has each external address of the subject. */
export async function askOwners(
  snapshot: Snapshot,
  subject: Subject,
  sight: Sight,
): Promise<NonNullable<Collected['owners']>> {
  const outer = frontsOf(snapshot, subject).filter(({ kind }) => kind === 'external-ip' || kind === 'load-balancer-ip')
  const addresses = [...new Set(outer.map(({ address }) => address))]
  if (addresses.length === 0) return []
  const nodes = [...snapshot.nodes.keys()].sort().slice(0, maxNodes)
  const places = [...nodes.map((name): Place => ({ kind: 'node', name })), { kind: 'outside' } as const]
  const nodeOfMac = new Map<string, string>()
  const heard = await Promise.all(places.map((place) => hear(snapshot, place, addresses, sight, nodeOfMac)))
  return addresses.map((address, at) =>
    gatherOwners(
      snapshot,
      address,
      heard.flatMap((all) => all[at] ?? []),
      nodeOfMac,
    ),
  )
}

type Heard = Parameters<typeof gatherOwners>[2][number]

/** What one machine hears for each address; nothing where it cannot be entered or may not send frames. */
async function hear(
  snapshot: Snapshot,
  place: Place,
  addresses: readonly Address[],
  sight: Sight,
  nodeOfMac: Map<string, string>,
): Promise<readonly Heard[]> {
  try {
    const namespace = await sight.open(place)
    try {
      const node = place.kind === 'node' ? place.name : undefined
      if (node !== undefined)
        for (const { mac } of namespace.network.links()) if (mac !== undefined) nodeOfMac.set(mac, node)
      const answers = await Promise.all(addresses.map((address) => askOwner(namespace, address)))
      // Nodes that cannot be entered are known by the addresses that their neighbours have.
      for (const { address, mac } of namespace.network.neighbours()) {
        const owner = [...snapshot.nodes.values()].find((one) => internalAddresses(one).includes(address))
        if (owner !== undefined && mac !== undefined) nodeOfMac.set(mac, owner.metadata.name)
      }
      return answers.map((answer) => ({ from: renderPlace(place), node, answer }))
    } finally {
      namespace.close()
    }
  } catch {
    return []
  }
}
