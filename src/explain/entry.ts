import type { Address } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import type { NodeView } from '../services/index.ts'
import { findHolder } from './announced.ts'
import { type FoundEnd, findEnd, type Source } from './end.ts'

/** The node that has an address as its own. */
export function findOwner(snapshot: Snapshot, address: Address): Node | undefined {
  return [...snapshot.nodes.values()].find((node) => Object.values(nodeAddresses(node)).includes(address))
}

/**
 * Somebody beyond the cluster: packets to a node's address enter there, those to an address that L2Advertisements announce at the node that holds it, those to
 * any other at the first node by name, for no object says to which node the network hands them. Undefined in a cluster without nodes.
 */
function outsideSource(snapshot: Snapshot, address: Address, destination: Address | undefined): Source | undefined {
  const owner = destination === undefined ? undefined : findOwner(snapshot, destination)
  const first = [...snapshot.nodes.keys()].sort()[0]
  const holder = destination === undefined ? undefined : findHolder(snapshot, destination)
  const node = owner?.metadata.name ?? holder?.node ?? first
  if (node === undefined) return undefined
  const because = { object: `node/${node}`, field: 'status.addresses', value: destination ?? '' }
  const outside = { label: address, node, pod: undefined, addresses: [address], outside: true as const, because }
  return owner !== undefined || holder === undefined ? outside : { ...outside, because: holder.because, entry: holder }
}

/** Where packets of an address start: at the pod or the node that has it, else beyond the cluster. */
export function findAddressSource(
  snapshot: Snapshot,
  { address, pod }: Extract<FoundEnd, { kind: 'found' }>,
  target: FoundEnd,
): Source | undefined {
  if (address === undefined) return undefined
  if (pod !== undefined) {
    const { name, namespace = '' } = pod.metadata
    const end = findEnd(snapshot, { kind: 'pod', namespace, name })
    return end.kind === 'found' ? end.source : undefined
  }
  const owner = findOwner(snapshot, address)
  if (owner !== undefined) {
    const end = findEnd(snapshot, { kind: 'node', name: owner.metadata.name })
    return end.kind === 'found' ? end.source : undefined
  }
  return outsideSource(snapshot, address, target.kind === 'found' ? target.addresses[0] : undefined)
}

/** What a node knows of itself; node ports answer at the addresses that the Node object gives. */
export function viewOf(node: Node | undefined): NodeView {
  const addresses = node === undefined ? [] : Object.values(nodeAddresses(node))
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone']
  return { name: node?.metadata.name ?? '', zone, addresses, nodePortAddresses: addresses }
}
