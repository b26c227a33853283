import { contains } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { ownersTold, type surveyEgress } from '../egress/index.ts'
import { compilePodNetwork, nodeAddresses } from '../pods/index.ts'

/** What decides how pods leave, as objects tell it. */
export function egressWorld(snapshot: Snapshot): Parameters<typeof surveyEgress>[2] {
  const [anyNode = ''] = snapshot.nodes.keys()
  const { unmasqueraded } = compilePodNetwork(anyNode, snapshot.nodes.values())
  return {
    addressesOf: nodeAddresses,
    owners: ownersTold(snapshot),
    inCluster: (address) =>
      unmasqueraded.some((prefix) => contains(prefix, address)) ? 'is in use within the cluster' : undefined,
  }
}
