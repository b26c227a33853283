import type { Address, Family } from '../addr/index.ts'
import { families } from '../addr/index.ts'
import type { EgressNode } from './model.ts'
import { marks } from './words.ts'

/** Packets with a mark go to a node: a rule that leads to a table of one default route. */
export interface EgressRoute {
  readonly family: Family
  readonly node: string
  readonly gateway: Address
  /** The link where the gateway is, although no prefix says so; absent for those of the segment. */
  readonly link?: string
  readonly table: number
  readonly mark: number
  readonly markMask: number
}

/** The routing protocol number (RTPROT_*) of these routes; other routes of Plumb's have another. */
export const egressRouteProtocol = 0x51

/** Where the rules stand: before the main table (32766), behind `local` (0). */
export const egressRulePriority = 20560

/** Where packets for a node go first, in a family. */
type NextHop = (node: EgressNode, family: Family) => Pick<EgressRoute, 'gateway' | 'link'> | undefined

/** A route to every other node that has a share of ports: it may own an address, or have pods that answers are for. */
export function egressRoutes(own: string, nodes: Iterable<EgressNode>, nextHop: NextHop): EgressRoute[] {
  return [...nodes].flatMap((node) => {
    const { name, index } = node
    if (index === undefined || name === own) return []
    return families.flatMap((family): EgressRoute[] => {
      const hop = nextHop(node, family)
      if (hop === undefined) return []
      const mark = marks.routed + index
      return [{ family, node: name, ...hop, table: mark, mark, markMask: marks.mask }]
    })
  })
}
