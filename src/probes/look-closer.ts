import type { Address } from '../addr/index.ts'
import type { CrowdedPath, LostClient, StaleConnection, Subject } from '../doctor/index.ts'
import type { Namespace } from '../host/index.ts'

const protocols = { tcp: 6, udp: 17 } as const
const maxStale = 16

/** What connection tracking knows of a node's connections. */
type Connections = ReturnType<Namespace['network']['connections']>

/** All of the subject's transport; none where it is none that can be told apart. */
export function readConnections({ network }: Namespace, { transport }: Subject): Connections {
  return transport === 'sctp' ? [] : network.connections({ protocol: protocols[transport] })
}

/** Connections to the subject's fronts that lead to an address that is none of its endpoints. `fronts` are all addresses and ports at which clients ask. */
export function findStaleConnections(
  connections: Connections,
  { backends, transport }: Subject,
  fronts: readonly { readonly address: Address; readonly port: number }[],
  own: ReadonlySet<Address>,
): readonly StaleConnection[] {
  if (transport === 'sctp') return []
  const asked = new Set(fronts.map(({ address, port }) => `${address} ${port}`))
  const known = new Set(backends.map(({ address, port }) => `${address} ${port}`))
  const isStale = ({ original, reply }: Connections[number]): boolean => {
    const front = `${original.destination} ${original.destinationPort}`
    const endpoint = `${reply.source} ${reply.sourcePort}`
    if (!asked.has(front) || known.has(endpoint)) return false
    // A datagram that was let go before there were rules goes on to the address itself, for as long as its like come.
    return endpoint !== front || (transport === 'udp' && !own.has(original.destination))
  }
  const ended = new Set(['TIME_WAIT', 'CLOSE', 'LAST_ACK', 'FIN_WAIT', 'CLOSE_WAIT'])
  return connections
    .filter((one) => isStale(one) && !ended.has(one.tcpState ?? ''))
    .slice(0, maxStale)
    .map(({ original, reply }) => ({
      transport,
      client: render(original.source, original.sourcePort),
      asked: render(original.destination, original.destinationPort),
      endpoint: render(reply.source, reply.sourcePort),
    }))
}

const maxLost = 16
/** Fewer to one endpoint are no crowd: a range of source ports has tens of thousands. */
const crowd = 1000

/** Clients that try to connect to a port of the subject at addresses that `isKnown` does not know: only they know where they have them from. */
export function findLostClients(
  connections: Connections,
  { backends, transport }: Subject,
  isKnown: (address: Address) => boolean,
): readonly LostClient[] {
  const ports = new Set(backends.map(({ port }) => port))
  if (transport !== 'tcp' || ports.size === 0) return []
  return connections
    .filter(
      ({ original, tcpState }) =>
        tcpState === 'SYN_SENT' && ports.has(original.destinationPort ?? 0) && !isKnown(original.destination),
    )
    .slice(0, maxLost)
    .map(({ original }) => ({
      client: original.source,
      asked: render(original.destination, original.destinationPort ?? 0),
    }))
}

/** The endpoint to which most connections go out under one address that is not their client's; undefined where there is no crowd. */
export function findCrowd(connections: Connections, { backends }: Subject): CrowdedPath | undefined {
  const known = new Set(backends.map(({ address, port }) => `${address} ${port}`))
  const counts = new Map<string, CrowdedPath>()
  for (const { original, reply } of connections) {
    if (!known.has(`${reply.source} ${reply.sourcePort}`) || reply.destination === original.source) continue
    const endpoint = render(reply.source, reply.sourcePort ?? 0)
    const id = `${reply.destination} ${endpoint}`
    const { connections = 0 } = counts.get(id) ?? {}
    counts.set(id, { as: reply.destination, endpoint, connections: connections + 1 })
  }
  const [most] = [...counts.values()].sort((a, b) => b.connections - a.connections)
  return most !== undefined && most.connections >= crowd ? most : undefined
}

function render(address: Address, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
