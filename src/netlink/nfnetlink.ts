import type { AttributeWriter } from './attribute-writer.ts'
import { NLM_F_REQUEST } from './message.ts'

export const NFNL_SUBSYS_CTNETLINK = 1
export const NFNL_SUBSYS_NFTABLES = 10
export const NFNL_MSG_BATCH_BEGIN = 0x10
export const NFNL_MSG_BATCH_END = 0x11
const NFNETLINK_V0 = 0
/** Length of nfgenmsg in bytes. */
export const NFGENMSG_LEN = 4

export const NFPROTO_UNSPEC = 0
export const NFPROTO_INET = 1
export const NFPROTO_IPV4 = 2
export const NFPROTO_ARP = 3
export const NFPROTO_NETDEV = 5
export const NFPROTO_BRIDGE = 7
export const NFPROTO_IPV6 = 10

/** The message type of a netfilter subsystem's message. */
export function nfnetlinkType(subsystem: number, message: number): number {
  return (subsystem << 8) | message
}

/** Writes nfgenmsg, which follows nlmsghdr in every netfilter message (include/uapi/linux/netfilter/nfnetlink.h). */
export function writeNetfilterHeader(writer: AttributeWriter, family: number, resourceId = 0): void {
  const at = writer.reserve(NFGENMSG_LEN)
  const view = writer.view
  view[at] = family
  view[at + 1] = NFNETLINK_V0
  // res_id is in network order.
  view[at + 2] = resourceId >> 8
  view[at + 3] = resourceId & 0xff
}

/** Starts a message with nfgenmsg after nlmsghdr; gives the offset for `endMessage`. */
export function beginNetfilter(
  writer: AttributeWriter,
  type: number,
  flags: number,
  sequence: number,
  family: number,
  resourceId = 0,
): number {
  const start = writer.beginMessage(type, flags, sequence)
  writeNetfilterHeader(writer, family, resourceId)
  return start
}

/** Opens an nftables batch: what follows up to `writeBatchEnd` takes effect together or not at all. */
export function writeBatchBegin(writer: AttributeWriter, sequence: number): void {
  writer.endMessage(
    beginNetfilter(writer, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, sequence, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES),
  )
}

/** Closes an nftables batch. */
export function writeBatchEnd(writer: AttributeWriter, sequence: number): void {
  writer.endMessage(
    beginNetfilter(writer, NFNL_MSG_BATCH_END, NLM_F_REQUEST, sequence, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES),
  )
}
