import { type Address, contains, familyOf } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import { apiServer, apiServerAddresses, explainExit, ownersTold } from '../egress/index.ts'
import { nextHop, nodeAddresses, type PodNetwork } from '../pods/index.ts'
import type { Step, Verdict } from './answer.ts'
import type { Source } from './end.ts'

export interface EgressSteps {
  readonly steps: readonly Step[]
  /** Set when nothing leaves. */
  readonly denied: Verdict | undefined
  /** Whether the steps tell the way out of the cluster, too. */
  readonly isRouted: boolean
  /** The egress address, where it leaves under one. */
  readonly address?: Address
}

/** Under which address a pod's connection leaves the cluster, and through which node; a verdict where it does not leave at all. */
export function egressSteps(
  snapshot: Snapshot,
  { node, pod }: Source,
  network: PodNetwork,
  destination: Address,
): EgressSteps {
  // Packets of a pod with its node's network are its node's.
  if (pod === undefined || pod.spec.hostNetwork === true || snapshot.egresses.size === 0)
    return { steps: [], denied: undefined, isRouted: false }
  if (apiServerAddresses(snapshot).includes(destination)) {
    const because = { object: `service/${apiServer}`, field: 'endpoints', value: destination }
    const says = `${destination} is the API server, which never sees an egress address`
    return { steps: [{ stage: 'egress', node, says, because }], denied: undefined, isRouted: false }
  }
  const isTaken = (address: Address) => network.unmasqueraded.some((prefix) => contains(prefix, address))
  const { kind, address, owner, reasons } = explainExit(snapshot, pod, destination, {
    addressesOf: nodeAddresses,
    owners: ownersTold(snapshot),
    inCluster: (address) => (isTaken(address) ? 'is in use within the cluster' : undefined),
  })
  const steps = reasons.map(({ says, because }): Step => ({ stage: 'egress', node, says, because }))
  const last = reasons.at(-1)
  if (kind === 'blocked' && last !== undefined)
    return { steps, denied: { kind: 'deny', says: last.says, because: last.because }, isRouted: false }
  if (owner === undefined) return { steps, denied: undefined, isRouted: false }
  const routed = {
    steps: [...steps, ...ways(snapshot, network, owner, destination)],
    denied: undefined,
    isRouted: true,
  }
  return address === undefined ? routed : { ...routed, address }
}

/** To the owner by its address on the nodes' segment or through the tunnel, and out from there. */
function ways(snapshot: Snapshot, network: PodNetwork, owner: string, destination: Address): Step[] {
  const { node } = network
  const held = snapshot.nodes.get(owner)
  const address = held && nodeAddresses(held)[familyOf(destination)]
  const hop = nextHop(network, owner, familyOf(destination), address)
  const because = { object: `node/${owner}`, field: 'status.addresses', value: address ?? '' }
  const out: Step = {
    stage: 'route',
    node: owner,
    says: `${destination} by the routes of ${owner}, untouched`,
    because,
  }
  if (owner === node) return [out]
  const way = hop === undefined ? 'no address' : hop.link === undefined ? hop.gateway : `${hop.gateway} on ${hop.link}`
  return [{ stage: 'route', node, says: `to ${owner} via ${way}, by the packet’s mark`, because }, out]
}
