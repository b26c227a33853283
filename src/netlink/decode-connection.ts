import type { Address } from '../addr/index.ts'
import { attributeEnd, findAttribute } from './attributes.ts'
import {
  CTA_COUNTERS_BYTES,
  CTA_COUNTERS_ORIG,
  CTA_COUNTERS_PACKETS,
  CTA_COUNTERS_REPLY,
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_MARK,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  CTA_STATUS,
  CTA_TIMEOUT,
  CTA_TUPLE_IP,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  CTA_TUPLE_REPLY,
  CTA_ZONE,
  IPPROTO_TCP,
  icmpBase,
} from './connection-attributes.ts'
import {
  type ConnectionMessage,
  type ConnectionTuple,
  conntrackTcpStates,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_NEW,
  type Traffic,
} from './connections.ts'
import { type Message, NLM_F_CREATE } from './message.ts'
import { NFGENMSG_LEN, NFNL_SUBSYS_CTNETLINK, nfnetlinkType } from './nfnetlink.ts'
import { findBytes, present } from './optional.ts'
import { findFamily } from './route-family.ts'

// include/uapi/linux/netfilter/nf_conntrack_common.h
const IPS_OFFLOAD = 1 << 14

/**
 * Decodes IPCTNL_MSG_CT_NEW or IPCTNL_MSG_CT_DELETE; undefined for entries that are not of IP, or not of `protocol` when
 * given. A dump may bring hundreds of thousands, so attributes are sought in place.
 */
export function decodeConnection(message: Message, protocol?: number): ConnectionMessage | undefined {
  const { buffer, end } = message
  const start = message.start + NFGENMSG_LEN
  const family = findFamily(buffer[message.start]!)
  const original = findAttribute(buffer, start, end, CTA_TUPLE_ORIG)
  const reply = findAttribute(buffer, start, end, CTA_TUPLE_REPLY)
  if (family === undefined || original === 0 || reply === 0) return undefined
  const number = protocolOf(buffer, original)
  if (number === undefined || (protocol !== undefined && protocol !== number)) return undefined
  const originalTuple = findTuple(buffer, original, number)
  const replyTuple = findTuple(buffer, reply, number)
  if (originalTuple === undefined || replyTuple === undefined) return undefined
  const u32 = (type: number) => {
    const at = findAttribute(buffer, start, end, type)
    return at === 0 ? undefined : buffer.readUInt32BE(at)
  }
  const zone = findAttribute(buffer, start, end, CTA_ZONE)
  const status = u32(CTA_STATUS) ?? 0
  return {
    family,
    protocol: number,
    original: originalTuple,
    reply: replyTuple,
    mark: u32(CTA_MARK) ?? 0,
    status,
    ...present('timeoutSeconds', u32(CTA_TIMEOUT)),
    ...present('tcpState', number === IPPROTO_TCP ? findTcpState(buffer, start, end) : undefined),
    ...present('zone', zone === 0 ? undefined : buffer.readUInt16BE(zone)),
    ...present('traffic', findBothTraffic(buffer, start, end)),
    ...((status & IPS_OFFLOAD) === 0 ? {} : { offloaded: true as const }),
  }
}

function findBothTraffic(buffer: Buffer, start: number, end: number): ConnectionMessage['traffic'] {
  const original = findTraffic(buffer, findAttribute(buffer, start, end, CTA_COUNTERS_ORIG))
  const reply = findTraffic(buffer, findAttribute(buffer, start, end, CTA_COUNTERS_REPLY))
  return original && reply && { original, reply }
}

function findTraffic(buffer: Buffer, nest: number): Traffic | undefined {
  if (nest === 0) return undefined
  const end = attributeEnd(buffer, nest)
  const u64 = (type: number): number => {
    const at = findAttribute(buffer, nest, end, type)
    return at === 0 || attributeEnd(buffer, at) - at < 8 ? 0 : Number(buffer.readBigUInt64BE(at))
  }
  return { packets: u64(CTA_COUNTERS_PACKETS), bytes: u64(CTA_COUNTERS_BYTES) }
}

function findTcpState(buffer: Buffer, start: number, end: number): string | undefined {
  const info = findAttribute(buffer, start, end, CTA_PROTOINFO)
  const tcp = info && findAttribute(buffer, info, attributeEnd(buffer, info), CTA_PROTOINFO_TCP)
  const state = tcp && findAttribute(buffer, tcp, attributeEnd(buffer, tcp), CTA_PROTOINFO_TCP_STATE)
  return state === 0 ? undefined : conntrackTcpStates[buffer[state]!]
}

function protocolOf(buffer: Buffer, tuple: number): number | undefined {
  const proto = findAttribute(buffer, tuple, attributeEnd(buffer, tuple), CTA_TUPLE_PROTO)
  const number = proto && findAttribute(buffer, proto, attributeEnd(buffer, proto), CTA_PROTO_NUM)
  return number === 0 ? undefined : buffer[number]
}

function findTuple(buffer: Buffer, tuple: number, protocol: number): ConnectionTuple | undefined {
  const end = attributeEnd(buffer, tuple)
  const ip = findAttribute(buffer, tuple, end, CTA_TUPLE_IP)
  const proto = findAttribute(buffer, tuple, end, CTA_TUPLE_PROTO)
  const source = ip && findIp(buffer, ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC)
  const destination = ip && findIp(buffer, ip, CTA_IP_V4_DST, CTA_IP_V6_DST)
  if (!source || !destination) return undefined
  const protoEnd = attributeEnd(buffer, proto)
  const u16 = (type: number) => {
    const at = findAttribute(buffer, proto, protoEnd, type)
    return at === 0 ? 0 : buffer.readUInt16BE(at)
  }
  const icmp = icmpBase(protocol)
  if (icmp === undefined) {
    return { source, destination, sourcePort: u16(CTA_PROTO_SRC_PORT), destinationPort: u16(CTA_PROTO_DST_PORT) }
  }
  const u8 = (type: number) => {
    const at = findAttribute(buffer, proto, protoEnd, type)
    return at === 0 ? 0 : buffer[at]!
  }
  return { source, destination, sourcePort: u16(icmp), destinationPort: (u8(icmp + 1) << 8) | u8(icmp + 2) }
}

function findIp(buffer: Buffer, ip: number, v4: number, v6: number): Address | undefined {
  const end = attributeEnd(buffer, ip)
  const at = findAttribute(buffer, ip, end, v4) || findAttribute(buffer, ip, end, v6)
  return at === 0 ? undefined : findBytes(buffer.subarray(at, attributeEnd(buffer, at)))
}

/** What a message of a conntrack multicast group tells; undefined for messages of other kinds. */
export function connectionEvent(message: Message): 'new' | 'update' | 'destroy' | undefined {
  if (message.type === nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)) return 'destroy'
  if (message.type !== nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW)) return undefined
  return (message.flags & NLM_F_CREATE) === 0 ? 'update' : 'new'
}
