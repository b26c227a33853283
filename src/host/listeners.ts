import { families, parseAddress } from '../addr/index.ts'
import {
  decodeSocket,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DIAG_BY_FAMILY,
  type SocketMessage,
  TCP_CLOSE,
  TCP_LISTEN,
  writeSocketQuery,
} from '../netlink/index.ts'
import type { ListeningSocket } from './contract.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

const everywhere4 = parseAddress('0.0.0.0')

const protocols = [
  { protocol: 'tcp', number: IPPROTO_TCP, state: TCP_LISTEN },
  { protocol: 'udp', number: IPPROTO_UDP, state: TCP_CLOSE },
] as const

/**
 * TCP sockets that listen and UDP sockets that are bound and not connected, without duplicates (SO_REUSEPORT). An
 * IPv6 socket on `::` that also takes IPv4 is listed for both families.
 */
export function listListeners(socket: NetlinkSocket): ListeningSocket[] {
  const found = new Map<string, ListeningSocket>()
  for (const { protocol, number, state } of protocols) {
    for (const family of families) {
      const answers = socket.dump(
        `list ${protocol} sockets`,
        SOCK_DIAG_BY_FAMILY,
        (writer) => writeSocketQuery(writer, { family, protocol: number, state }),
        decodeSocket,
      )
      for (const listener of answers.flatMap((answer) => toListeners(protocol, answer))) {
        found.set(`${protocol} ${listener.address} ${listener.port}`, listener)
      }
    }
  }
  return [...found.values()]
}

function toListeners(protocol: 'tcp' | 'udp', socket: SocketMessage): ListeningSocket[] {
  const { address, port, family, v6only } = socket
  if (port === 0) return []
  const listener = { protocol, address, port, family }
  if (address !== '::' || v6only === true) return [listener]
  return [listener, { protocol, address: everywhere4, port, family: 4 }]
}
