import { contains, findAddress } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { frontsOf, type NodeState, type Subject } from '../doctor/index.ts'
import type { Namespace } from '../host/index.ts'
import { nodePrefixes } from '../pods/index.ts'
import { findCrowd, findLostClients, findStaleConnections, readConnections } from '../probes/index.ts'

/** Connections of a node that lead to where nobody is: to former endpoints, and to addresses of pods that there are none; and where many leave by one address. */
export function lookAtConnections(
  snapshot: Snapshot,
  subject: Subject,
  node: Namespace,
): Pick<NodeState, 'stale' | 'lost' | 'crowd'> {
  const connections = readConnections(node, subject)
  const prefixes = [...snapshot.nodes.values()].flatMap(nodePrefixes)
  const backends = new Set(subject.backends.map(({ address }) => address))
  const own = new Set(node.network.addresses().map(({ address }) => address))
  const listed = new Set(
    [...snapshot.slices.values()].flatMap(({ endpoints }) =>
      endpoints.flatMap(({ addresses }) => addresses.flatMap((text) => findAddress(text) ?? [])),
    ),
  )
  const crowd = findCrowd(connections, subject)
  return {
    stale: findStaleConnections(connections, subject, frontsOf(snapshot, subject), own),
    // A node itself asks former pods as well: its kubelet probes them until it knows better.
    lost: findLostClients(
      connections.filter(({ original }) => !own.has(original.source)),
      subject,
      (address) =>
        backends.has(address) ||
        listed.has(address) ||
        snapshot.findPod(address) !== undefined ||
        !prefixes.some((prefix) => contains(prefix, address)),
    ),
    ...(crowd === undefined ? {} : { crowd }),
  }
}
