import type { Family } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { attributeEnd, findAttribute } from './attributes.ts'
import type { Message } from './message.ts'
import { NFGENMSG_LEN, nfnetlinkType } from './nfnetlink.ts'
import { findFamily } from './route-family.ts'

// include/uapi/linux/netfilter/nfnetlink_log.h
export const NFNL_SUBSYS_ULOG = 4
const NFULNL_MSG_PACKET = 0
export const NFULNL_MSG_CONFIG = 1
const NFULA_PAYLOAD = 9
const NFULA_PREFIX = 10
const NFULA_CFG_CMD = 1
const NFULA_CFG_MODE = 2
const NFULA_CFG_TIMEOUT = 4
const NFULA_CFG_QTHRESH = 5
const NFULNL_CFG_CMD_BIND = 1
const NFULNL_COPY_PACKET = 2

/** A packet that a rule with `log group` has sent here. */
export interface LoggedPacket {
  readonly family: Family
  /** What the rule says it is. */
  readonly prefix: string
  /** From the network header on, as much as was asked for; a view that is valid during the callback. */
  readonly bytes: Buffer
}

/**
 * Writes what follows nfgenmsg (whose resource id is the group) in NFULNL_MSG_CONFIG: this socket gets the group's packets, each cut to
 * `bytes` and sent at once. The kernel refuses with EPERM while another socket has the group.
 */
export function writePacketLogBinding(writer: AttributeWriter, bytes: number): void {
  writer.u8(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND)
  const mode = Buffer.alloc(6)
  mode.writeUInt32BE(bytes, 0)
  mode[4] = NFULNL_COPY_PACKET
  writer.bytes(NFULA_CFG_MODE, mode)
  // In hundredths of a second, and in packets.
  writer.u32be(NFULA_CFG_TIMEOUT, 1)
  writer.u32be(NFULA_CFG_QTHRESH, 1)
}

/** Decodes NFULNL_MSG_PACKET; undefined for other messages and for packets that are not of IP. */
export function decodeLoggedPacket(message: Message): LoggedPacket | undefined {
  if (message.type !== nfnetlinkType(NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET)) return undefined
  const { buffer, end } = message
  const start = message.start + NFGENMSG_LEN
  const family = findFamily(buffer[message.start]!)
  const payload = findAttribute(buffer, start, end, NFULA_PAYLOAD)
  if (family === undefined || payload === 0) return undefined
  const prefix = findAttribute(buffer, start, end, NFULA_PREFIX)
  const text = prefix === 0 ? '' : buffer.toString('latin1', prefix, attributeEnd(buffer, prefix))
  return { family, prefix: text.replace(/\0.*$/s, ''), bytes: buffer.subarray(payload, attributeEnd(buffer, payload)) }
}
