import { type Connection, HostError, type Network } from '../host/index.ts'
import type { StaleFlows } from '../services/index.ts'

const udp = 17

/**
 * Deletes UDP entries whose destination is one of the frontends and whose replies come from no endpoint that serves;
 * clients that keep their port would otherwise talk to nobody until the entry expires. Answers how many. One dump per family.
 */
export function forgetStale(network: Network, stale: readonly StaleFlows[]): number {
  let deleted = 0
  for (const family of [4, 6] as const) {
    const byFrontend = new Map<string, StaleFlows>()
    for (const flows of stale) if (flows.family === family) byFrontend.set(`${flows.address} ${flows.port}`, flows)
    if (byFrontend.size === 0) continue
    for (const connection of network.connections({ family, protocol: udp })) {
      const { destination, destinationPort } = connection.original
      const flows = byFrontend.get(`${destination} ${destinationPort}`)
      if (flows === undefined) continue
      if (flows.serving.has(`${connection.reply.source} . ${connection.reply.sourcePort}`)) continue
      if (forget(network, connection)) deleted++
    }
  }
  return deleted
}

/** Deletes an entry; false when it has expired since it was listed. */
export function forget(network: Network, connection: Connection): boolean {
  try {
    network.deleteConnection(connection)
    return true
  } catch (error) {
    if (error instanceof HostError && error.code === 'missing') return false
    throw error
  }
}
