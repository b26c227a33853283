import type { Address } from '../addr/index.ts'
import { type Changes, emptyChanges } from '../cluster/index.ts'
import type { Grant } from '../egress/index.ts'
import type { Transaction } from '../nft/index.ts'
import type { PodNetwork } from '../pods/index.ts'
import type { StaleFlows } from '../services/index.ts'

/** What one round does to the node. */
export interface Round {
  readonly transaction: Transaction
  /** Whether the transaction replaces the tables whole. */
  readonly full: boolean
  /** UDP flows to look through once the transaction is in the kernel. */
  readonly stale: readonly StaleFlows[]
  /** Addresses of this node's pods whose live connections are to be judged again then. */
  readonly tightened: ReadonlySet<Address>
  /** Addresses of this node's pods whose live connections may leave under an address that is no longer theirs. */
  readonly regranted: ReadonlyMap<Address, Grant>
  /** What pod networking now means, when Nodes changed: its routes are not part of the transaction. */
  readonly pods: PodNetwork | undefined
  readonly compileMs: number
  readonly loweringMs: number
}

/** No change: the first round looks at everything, whatever it is told. */
export const nothing: Changes = emptyChanges()
