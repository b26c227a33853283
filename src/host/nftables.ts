import type { Message } from '../netlink/index.ts'
import {
  decodeElements,
  decodeTable,
  type Element,
  encodeElementsRequest,
  encodeTablesRequest,
  type SetDeclaration,
  type TableFamily,
} from '../nft/index.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

/** The tables of the families that Plumb speaks. */
export function listTables(socket: NetlinkSocket): { family: TableFamily; name: string }[] {
  return socket.dumpEncoded('list nftables tables', encodeTablesRequest, decodeTable)
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

/** A copy that outlives the receive buffer. */
function keep(message: Message): Message {
  const buffer = Buffer.from(message.buffer.subarray(message.start, message.end))
  return { ...message, buffer, start: 0, end: buffer.length }
}
