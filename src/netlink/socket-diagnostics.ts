import { type Address, addressFromBytes, bytesOf, type Family, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import type { Message } from './message.ts'
import { present } from './optional.ts'
import { addressFamily, findFamily } from './route-family.ts'

// include/uapi/linux/sock_diag.h, inet_diag.h; states: include/net/tcp_states.h
export const SOCK_DIAG_BY_FAMILY = 20
const INET_DIAG_SKV6ONLY = 11
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const TCP_CLOSE = 7
export const TCP_LISTEN = 10
const INET_DIAG_REQ_V2_LEN = 56
const INET_DIAG_MSG_LEN = 72

/** A socket as sock_diag tells it. */
export interface SocketMessage {
  readonly family: Family
  /** TCP_*, also for UDP, where TCP_CLOSE means bound and not connected. */
  readonly state: number
  readonly address: Address
  readonly port: number
  /** Of IPv6 sockets: whether IPv4 is left to others. */
  readonly v6only?: boolean
}

/** Writes the body (inet_diag_req_v2) of a SOCK_DIAG_BY_FAMILY dump of sockets in one state. */
export function writeSocketQuery(
  writer: AttributeWriter,
  query: { family: Family; protocol: number; state: number },
): void {
  const at = writer.reserve(INET_DIAG_REQ_V2_LEN)
  writer.view[at] = addressFamily(query.family)
  writer.view[at + 1] = query.protocol
  writer.view.writeUInt32LE(1 << query.state, at + 4)
}

/** Writes the body (inet_diag_msg) of an answer: for fakes and tests. */
export function writeSocket(writer: AttributeWriter, socket: SocketMessage): void {
  const at = writer.reserve(INET_DIAG_MSG_LEN)
  writer.view[at] = addressFamily(socket.family)
  writer.view[at + 1] = socket.state
  writer.view.writeUInt16BE(socket.port, at + 4)
  writer.view.set(bytesOf(socket.address), at + 8)
  if (socket.v6only !== undefined) writer.u8(INET_DIAG_SKV6ONLY, socket.v6only ? 1 : 0)
}

/** Decodes an answer; undefined for families other than IP. An IPv6 socket bound to an IPv4-mapped address is of family 4. */
export function decodeSocket(message: Message): SocketMessage | undefined {
  const { buffer, start, end } = message
  const family = findFamily(buffer[start]!)
  if (family === undefined || end - start < INET_DIAG_MSG_LEN) return undefined
  const bytes = buffer.subarray(start + 8, start + 8 + (family === 4 ? 4 : 16))
  const address = addressFromBytes(isMapped(bytes) ? bytes.subarray(12) : bytes)
  const v6only = readAttributes(buffer, start + INET_DIAG_MSG_LEN, end).u8(INET_DIAG_SKV6ONLY)
  return {
    family: familyOf(address),
    state: buffer[start + 1]!,
    address,
    port: buffer.readUInt16BE(start + 4),
    ...present('v6only', v6only === undefined || familyOf(address) === 4 ? undefined : v6only === 1),
  }
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0)
  )
}
