import { readFileSync } from 'node:fs'
import type { Address } from '../addr/index.ts'
import type { StaleConnection, Subject } from '../doctor/index.ts'
import type { Namespace } from '../host/index.ts'

/** How many packets the kernel has dropped by rp_filter (TcpExtIPReversePathFilter of /proc/net/netstat); undefined where it does not tell. */
export function countReversePathDrops(namespace: Namespace): number | undefined {
  try {
    const lines = namespace.run(() => readFileSync('/proc/thread-self/net/netstat', 'utf8')).split('\n')
    const [names, values] = lines.filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '))
    const value = values?.[names?.indexOf('IPReversePathFilter') ?? -1]
    return value === undefined ? undefined : Number(value)
  } catch {
    return undefined
  }
}

const protocols = { tcp: 6, udp: 17 } as const
const maxStale = 16

/** Connections to the subject's fronts that lead to an address that is none of its endpoints. `fronts` are all addresses and ports at which clients ask. */
export function findStaleConnections(
  { network }: Namespace,
  { backends, transport }: Subject,
  fronts: readonly { readonly address: Address; readonly port: number }[],
): readonly StaleConnection[] {
  if (transport === 'sctp') return []
  const asked = new Set(fronts.map(({ address, port }) => `${address} ${port}`))
  const known = new Set(backends.map(({ address, port }) => `${address} ${port}`))
  const own = new Set(network.addresses().map(({ address }) => address))
  const isStale = ({ original, reply }: ReturnType<typeof network.connections>[number]): boolean => {
    const front = `${original.destination} ${original.destinationPort}`
    const endpoint = `${reply.source} ${reply.sourcePort}`
    if (!asked.has(front) || known.has(endpoint)) return false
    // A datagram that was let go before there were rules goes on to the address itself, for as long as its like come.
    return endpoint !== front || (transport === 'udp' && !own.has(original.destination))
  }
  const ended = new Set(['TIME_WAIT', 'CLOSE', 'LAST_ACK', 'FIN_WAIT', 'CLOSE_WAIT'])
  return network
    .connections({ protocol: protocols[transport] })
    .filter((one) => isStale(one) && !ended.has(one.tcpState ?? ''))
    .slice(0, maxStale)
    .map(({ original, reply }) => ({
      transport,
      client: render(original.source, original.sourcePort),
      asked: render(original.destination, original.destinationPort),
      endpoint: render(reply.source, reply.sourcePort),
    }))
}

function render(address: Address, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
