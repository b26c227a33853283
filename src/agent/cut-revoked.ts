import type { Address } from '../addr/index.ts'
import type { Network } from '../host/index.ts'
import type { NodePlan, Round } from '../nodeplan/index.ts'
import { forget } from './conntrack.ts'

/**
 * Takes live connections out of conntrack that pods began and that leave under an address which is not theirs (any longer): conntrack would
 * translate each of their packets so until they end. Answers how many. One dump per family.
 */
export function cutRevoked(network: Network, plan: NodePlan, regranted: Round['regranted']): number {
  let cut = 0
  for (const family of [4, 6] as const) {
    const isOf = (address: Address) => address.includes(':') === (family === 6)
    if (![...regranted.keys()].some(isOf)) continue
    for (const connection of network.connections({ family })) {
      const pod = connection.original.source
      const grant = regranted.get(pod)
      if (grant === undefined) continue
      // The reply comes from where the connection went, to the source that was seen there.
      const { source: destination, destination: source } = connection.reply
      if (plan.isRevoked(grant, pod, { source, destination }) && forget(network, connection)) cut++
    }
  }
  return cut
}
