import type { Address } from '../addr/index.ts'
import { type Connection, HostError, type Network } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { forget } from './conntrack.ts'

/** Assigned Internet protocol numbers; ICMP and ICMPv6 mean the same to a policy. */
const protocols: Readonly<Record<number, 'tcp' | 'udp' | 'sctp' | 'icmp'>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmp',
  132: 'sctp',
}

/** A protocol as policies know it: whatever has no ports of its own means the same as ICMP. */
export function protocolOf(number: number): 'tcp' | 'udp' | 'sctp' | 'icmp' {
  return protocols[number] ?? 'icmp'
}

/** A live connection as policies see it, after the choice of an endpoint. */
export interface CutConnection {
  readonly source: Address
  readonly destination: Address
  /** Assigned Internet protocol number. */
  readonly protocol: number
  readonly port: number
}

/**
 * Judges the live connections of these pods again and takes those out of conntrack that a policy denies; their next packet belongs
 * to no connection and is dropped. Answers how many, and tells those whose packets no rule will log. One dump per family.
 */
export function cutDenied(
  network: Network,
  plan: NodePlan,
  tightened: ReadonlySet<Address>,
  onCut: (connection: CutConnection) => void,
): number {
  let cut = 0
  for (const family of [4, 6] as const) {
    if (![...tightened].some((address) => address.includes(':') === (family === 6))) continue
    const node = plan.pods.addresses[family]
    for (const connection of network.connections({ family })) {
      const { source } = connection.original
      // The reply comes from where the first packet went after destination NAT.
      const { source: destination, sourcePort: port } = connection.reply
      const protocol = protocols[connection.protocol]
      if (protocol === undefined || (!tightened.has(source) && !tightened.has(destination))) continue
      // A node always reaches its own pods.
      if (source === node) continue
      if (!plan.judge(source, destination, protocol, port).some(({ kind }) => kind === 'deny')) continue
      if (!forget(network, connection)) continue
      cut++
      if (isSilent(connection)) onCut({ source, destination, protocol: connection.protocol, port })
    }
  }
  return cut
}

/** What is open and cannot go on as a new connection; a datagram of UDP begins one, and is told as denied. TCP that has ended loses nothing. */
function isSilent({ protocol, tcpState }: Connection): boolean {
  return protocols[protocol] === 'tcp' ? tcpState === 'ESTABLISHED' : protocols[protocol] === 'sctp'
}

/**
 * A TCP segment without a connection starts none (nf_conntrack_tcp_loose): otherwise the other end's next segment would begin a
 * connection the other way round, which that way may be allowed.
 */
export function refusePickUp(network: Network): void {
  const name = 'net.netfilter.nf_conntrack_tcp_loose'
  try {
    if (network.sysctl(name).trim() !== '0') network.setSysctl(name, 0)
  } catch (error) {
    // Conntrack is a module that comes with the first rule which needs it; without it there are no live connections.
    if (!(error instanceof HostError) || error.code !== 'missing') throw error
  }
}
