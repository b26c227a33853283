import type { PortPlan, PortRange } from './model.ts'

/** Ports below are the system's (RFC 6335, section 6): servers may treat them as privileged. */
const firstPort = 1024
const allPorts = 65536

/** How many nodes an address serves when each has this many ports. */
export function nodesServed(perNode: number): number {
  return Math.floor((allPorts - firstPort) / perNode)
}

/** The ports that the node with this index has of an address; undefined when they do not reach so far. */
export function portsOfNode({ perNode }: PortPlan, index: number): PortRange | undefined {
  if (index >= nodesServed(perNode)) return undefined
  const first = firstPort + index * perNode
  return { first, last: first + perNode - 1 }
}

/** The index of the node that has a port; undefined for ports that nobody has. */
export function nodeOfPort({ perNode }: PortPlan, port: number): number | undefined {
  const index = Math.floor((port - firstPort) / perNode)
  return index >= 0 && index < nodesServed(perNode) && port < allPorts ? index : undefined
}

/** How many pods of one node can have ports of their own. */
export function podsPerNode({ perNode, perPod }: PortPlan): number {
  return perPod === undefined ? Number.POSITIVE_INFINITY : Math.floor(perNode / perPod)
}

/** The ports of the pod in a slot, out of its node's. */
export function portsOfPod({ perPod }: PortPlan, node: PortRange, slot: number): PortRange {
  if (perPod === undefined) return node
  const first = node.first + slot * perPod
  return { first, last: first + perPod - 1 }
}
