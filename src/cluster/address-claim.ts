import type { Address } from '../addr/index.ts'
import type { Because } from './finding.ts'

/** An external address, and the nodes that may hold it. */
export interface AddressClaim {
  readonly address: Address
  /** Names of the nodes that may hold it, by desired state (selectors, endpoints); liveness is judged later. */
  readonly eligible: readonly string[]
  /** Higher first; a node that is not named has 0. */
  readonly preference?: ReadonlyMap<string, number>
  readonly use: 'LoadBalancer' | 'Egress'
  readonly because: Because
}

/** Who holds which address now, as this node knows it. */
export interface OwnershipSource {
  owners(): ReadonlyMap<Address, string>
  /** Calls `listener` with the addresses whose owner changed; the answer ends that. */
  onChange(listener: (changed: readonly Address[]) => void): () => void
}

/** What must happen on this node around a change of owner. A rejection is told and does not hold the change up. */
export interface OwnershipHooks {
  /** Before this node takes an address in a planned move: state (conntrack, NAT) must be in place when it settles. */
  prepareTake(address: Address, from: string): Promise<void>
  /** This node holds the address; neighbours have just been told. */
  taken(address: Address): void
  /** This node does not answer for the address any more; connections in flight may still pass for the drain time. */
  released(address: Address): void
}

/**
 * Marks of packets that belong to a connection of before a planned move of an external address, on their way to the node that had
 * it: the upper half says so, the lower half which node.
 */
export const movedMark = { base: 0x504d_0000, mask: 0xffff_0000 } as const
