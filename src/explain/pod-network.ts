import type { Snapshot } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import { compilePodNetwork, type PodNetwork } from '../pods/index.ts'

interface Compiled {
  /** Those that the networks were compiled from: objects are replaced, never changed. */
  readonly nodes: readonly Node[]
  readonly byNode: Map<string, PodNetwork>
}

const compiled = new WeakMap<Snapshot, Compiled>()

/** What pod networking means on a node. Kept as long as the Nodes are the same: one way asks for it at every hop. */
export function podNetworkOf(snapshot: Snapshot, node: string): PodNetwork {
  const nodes = [...snapshot.nodes.values()]
  let known = compiled.get(snapshot)
  if (known === undefined || known.nodes.length !== nodes.length || known.nodes.some((one, at) => one !== nodes[at])) {
    known = { nodes, byNode: new Map() }
    compiled.set(snapshot, known)
  }
  const found = known.byNode.get(node) ?? compilePodNetwork(node, nodes)
  known.byNode.set(node, found)
  return found
}
