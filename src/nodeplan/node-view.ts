import { type Address, contains } from '../addr/index.ts'
import type { Node } from '../objects/index.ts'
import type { PodNetwork } from '../pods/index.ts'
import type { NodeView } from '../services/index.ts'
import type { NodePlanOptions } from './options.ts'

/** What a node knows of itself when it chooses endpoints; `local` are the addresses of its links. */
export function viewNode(
  { node: name, nodePortAddresses, loopbackNodePorts = false }: NodePlanOptions,
  node: Node | undefined,
  pods: PodNetwork,
  local: readonly Address[],
): NodeView {
  const addresses = Object.values(pods.addresses)
  return {
    name,
    zone: node?.metadata.labels?.['topology.kubernetes.io/zone'],
    addresses,
    nodePortAddresses:
      nodePortAddresses === undefined
        ? addresses
        : local.filter((one) => nodePortAddresses.some((prefix) => contains(prefix, one))),
    loopbackNodePorts,
  }
}
