import { families } from '../addr/index.ts'
import { HostError, type Network } from '../host/index.ts'
import type { Operation } from '../nft/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { sets, tableOf } from '../services/index.ts'

/**
 * What a round that replaces the tables must put back: clients' seats, which the kernel alone remembers. Their time begins anew.
 * Connections that are made between this and the commit may be balanced afresh.
 */
export async function keptSeats(network: Network, plan: NodePlan): Promise<readonly Operation[]> {
  const operations: Operation[] = []
  for (const family of families) {
    const set = sets[family].affinity
    const at = tableOf(family)
    const remembered = await network.elements(at.family, at.table, set).catch((error: unknown) => {
      // The first start of all, or the tables of a version that had no such set.
      if (error instanceof HostError && error.code === 'missing') return []
      throw error
    })
    const elements = remembered.filter(({ key }) => plan.hasSeat(family, key.slice(key.lastIndexOf(' ') + 1)))
    if (elements.length > 0) operations.push({ kind: 'add-elements', ...at, set, elements })
  }
  return operations
}
