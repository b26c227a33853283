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

/** A node that has this annotation hands over the external addresses that it holds, and takes none; `plumb node drain` sets it. */
export const drainAnnotation = 'plumb.network/drain'

/** Who holds which address now, as this node knows it. */
export interface OwnershipSource {
  owners(): ReadonlyMap<Address, string>
  /** Calls `listener` with the addresses whose owner changed; the answer ends that. */
  onChange(listener: (changed: readonly Address[]) => void): () => void
}

/**
 * Marks of packets that belong to a connection of before a move of an external address, on their way to the node that had
 * it: the upper half says so, the lower half which node.
 */
export const movedMark = { base: 0x504d_0000, mask: 0xffff_0000 } as const
