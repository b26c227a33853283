import { type Message, NFPROTO_UNSPEC, writeNetfilterHeader } from '../netlink/index.ts'
import {
  decodeCounted,
  decodeElements,
  decodeGeneration,
  decodeTable,
  type Element,
  encodeElementsRequest,
  encodeRulesRequest,
  encodeTablesRequest,
  generationRequest,
  type SetDeclaration,
  type TableFamily,
} from '../nft/index.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

/** The tables of the families that Plumb speaks. */
export function listTables(socket: NetlinkSocket): { family: TableFamily; name: string }[] {
  return socket.dumpEncoded('list nftables tables', encodeTablesRequest, decodeTable)
}

/** How many transactions there have been, whoever made them; see `decodeGeneration`. */
export function readGeneration(socket: NetlinkSocket): number | undefined {
  const header = (writer: Parameters<typeof writeNetfilterHeader>[0]) => writeNetfilterHeader(writer, NFPROTO_UNSPEC)
  return socket.get('read the generation of nftables', generationRequest, header, decodeGeneration)
}

/** The elements of one set or map; `missing` when there is no such set. */
export function listElements(
  socket: NetlinkSocket,
  family: TableFamily,
  table: string,
  set: SetDeclaration,
): Element[] {
  const kind = set.value === undefined ? 'set' : 'map'
  const messages = socket.dumpEncoded(
    `list elements of ${kind} ${family} ${table} ${set.name}`,
    (sequence) => encodeElementsRequest(family, table, set.name, sequence),
    keep,
  )
  // An interval may begin in one message and end in the next, so they are decoded together.
  return decodeElements(set, messages)
}

/** How many packets the counters in one chain's rules have seen; `missing` when there is no such chain. */
export function readCounted(socket: NetlinkSocket, family: TableFamily, table: string, chain: string): number {
  const counted = socket.dumpEncoded(
    `list rules of chain ${family} ${table} ${chain}`,
    (sequence) => encodeRulesRequest(family, table, chain, sequence),
    decodeCounted,
  )
  return counted.reduce((sum, one) => sum + one, 0)
}

/** A copy that outlives the receive buffer. */
function keep(message: Message): Message {
  const buffer = Buffer.from(message.buffer.subarray(message.start, message.end))
  return { ...message, buffer, start: 0, end: buffer.length }
}
