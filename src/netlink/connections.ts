import { type Address, bytesOf, type Family, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { attributeEnd, findAttribute } from './attributes.ts'
import { type Message, NLM_F_CREATE } from './message.ts'
import { NFGENMSG_LEN, NFNL_SUBSYS_CTNETLINK, nfnetlinkType } from './nfnetlink.ts'
import { findBytes, present } from './optional.ts'
import { findFamily } from './route-family.ts'

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
export const IPCTNL_MSG_CT_NEW = 0
export const IPCTNL_MSG_CT_GET = 1
export const IPCTNL_MSG_CT_DELETE = 2
const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_REPLY = 2
const CTA_STATUS = 3
const CTA_PROTOINFO = 4
const CTA_NAT_SRC = 6
const CTA_TIMEOUT = 7
const CTA_MARK = 8
const CTA_COUNTERS_ORIG = 9
const CTA_COUNTERS_REPLY = 10
const CTA_NAT_DST = 13
const CTA_ZONE = 18
const CTA_MARK_MASK = 21
const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
const CTA_PROTO_ICMP_ID = 4
const CTA_PROTO_ICMPV6_ID = 7
const CTA_COUNTERS_PACKETS = 1
const CTA_COUNTERS_BYTES = 2
const CTA_PROTOINFO_TCP = 1
const CTA_PROTOINFO_TCP_STATE = 1
const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4
const CTA_PROTOINFO_TCP_FLAGS_REPLY = 5
const CTA_NAT_V4_MINIP = 1
const CTA_NAT_V4_MAXIP = 2
const CTA_NAT_PROTO = 3
const CTA_NAT_V6_MINIP = 4
const CTA_NAT_V6_MAXIP = 5
const CTA_PROTONAT_PORT_MIN = 1
const CTA_PROTONAT_PORT_MAX = 2
// include/uapi/linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_common.h
const IP_CT_TCP_FLAG_BE_LIBERAL = 0x08
/** Packets went both ways. */
export const IPS_SEEN_REPLY = 2
/** It may not be thrown out early for want of room: TCP is established, UDP goes to and fro. */
export const IPS_ASSURED = 4
/** It is in the table. */
const IPS_CONFIRMED = 8
// include/uapi/linux/netfilter/nf_conntrack_common.h
const IPS_OFFLOAD = 1 << 14
/** Multicast groups, as bits of sockaddr_nl.nl_groups. */
export const NF_NETLINK_CONNTRACK_NEW = 1
export const NF_NETLINK_CONNTRACK_UPDATE = 2
export const NF_NETLINK_CONNTRACK_DESTROY = 4

const IPPROTO_ICMP = 1
const IPPROTO_TCP = 6
const IPPROTO_ICMPV6 = 58

/** TCP states of conntrack by number (enum tcp_conntrack), in the words of conntrack(8). */
export const conntrackTcpStates = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const

/** One direction of a connection. For ICMP `sourcePort` is the identifier and `destinationPort` is type × 256 + code. */
export interface ConnectionTuple {
  readonly source: Address
  readonly destination: Address
  readonly sourcePort: number
  readonly destinationPort: number
}

/** What went in one direction. */
export interface Traffic {
  readonly packets: number
  /** Of IP packets, headers included. */
  readonly bytes: number
}

/** A conntrack entry. */
export interface ConnectionMessage {
  readonly family: Family
  readonly protocol: number
  readonly original: ConnectionTuple
  readonly reply: ConnectionTuple
  readonly mark: number
  /** IPS_* bits. */
  readonly status: number
  readonly timeoutSeconds?: number
  readonly tcpState?: string
  readonly zone?: number
  /** Where `net.netfilter.nf_conntrack_acct` was set when the connection began; events tell it at the end alone. */
  readonly traffic?: { readonly original: Traffic; readonly reply: Traffic }
  /** Its packets go by a flowtable, past the hooks (IPS_OFFLOAD). */
  readonly offloaded?: true
}

/** What of an entry names it: enough for a deletion. */
export type ConnectionName = Pick<ConnectionMessage, 'protocol' | 'original' | 'zone'>

/** Writes what follows nfgenmsg in IPCTNL_MSG_CT_DELETE: the entry's original direction and zone. */
export function writeConnectionName(writer: AttributeWriter, connection: ConnectionName): void {
  writeTuple(writer, CTA_TUPLE_ORIG, connection.protocol, connection.original)
  if (connection.zone !== undefined) writer.u16be(CTA_ZONE, connection.zone)
}

/** Writes what follows nfgenmsg in IPCTNL_MSG_CT_NEW. */
export function writeConnection(writer: AttributeWriter, connection: ConnectionMessage): void {
  writeConnectionName(writer, connection)
  writeTuple(writer, CTA_TUPLE_REPLY, connection.protocol, connection.reply)
  writer.u32be(CTA_STATUS, connection.status)
  writer.u32be(CTA_MARK, connection.mark)
  if (connection.timeoutSeconds !== undefined) writer.u32be(CTA_TIMEOUT, connection.timeoutSeconds)
  if (connection.tcpState !== undefined) {
    const info = writer.nest(CTA_PROTOINFO)
    const tcp = writer.nest(CTA_PROTOINFO_TCP)
    writer.u8(CTA_PROTOINFO_TCP_STATE, (conntrackTcpStates as readonly string[]).indexOf(connection.tcpState))
    writer.end(tcp)
    writer.end(info)
  }
}

/** What a translated connection is made of: the reply direction tells to whom the destination and the source are translated. */
export type TranslatedConnection = Pick<ConnectionMessage, 'family' | 'protocol' | 'original' | 'reply'> & {
  readonly timeoutSeconds: number
  readonly mark?: number
}

/**
 * Writes what follows nfgenmsg in IPCTNL_MSG_CT_NEW for a connection that goes on here after it began elsewhere. The kernel
 * takes translations only as ranges, applied to a reply direction that has none (ctnetlink_setup_nat). TCP's windows are not
 * known, so segments outside of them are no reason to take the connection for invalid.
 */
export function writeTranslatedConnection(writer: AttributeWriter, connection: TranslatedConnection): void {
  const { protocol, original, reply, timeoutSeconds, mark } = connection
  writeTuple(writer, CTA_TUPLE_ORIG, protocol, original)
  writeTuple(writer, CTA_TUPLE_REPLY, protocol, {
    source: original.destination,
    destination: original.source,
    sourcePort: original.destinationPort,
    destinationPort: original.sourcePort,
  })
  // A new entry is confirmed already when its status is read, and that cannot be taken back (ctnetlink_create_conntrack).
  writer.u32be(CTA_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED)
  writer.u32be(CTA_TIMEOUT, timeoutSeconds)
  if (mark !== undefined) writer.u32be(CTA_MARK, mark)
  if (reply.source !== original.destination || reply.sourcePort !== original.destinationPort)
    writeTranslation(writer, CTA_NAT_DST, reply.source, reply.sourcePort)
  if (reply.destination !== original.source || reply.destinationPort !== original.sourcePort)
    writeTranslation(writer, CTA_NAT_SRC, reply.destination, reply.destinationPort)
  if (protocol !== IPPROTO_TCP) return
  const info = writer.nest(CTA_PROTOINFO)
  const tcp = writer.nest(CTA_PROTOINFO_TCP)
  writer.u8(CTA_PROTOINFO_TCP_STATE, conntrackTcpStates.indexOf('ESTABLISHED'))
  // struct nf_ct_tcp_flags: the flags, and which of them are meant.
  const liberal = Buffer.from([IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL])
  writer.bytes(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, liberal)
  writer.bytes(CTA_PROTOINFO_TCP_FLAGS_REPLY, liberal)
  writer.end(tcp)
  writer.end(info)
}

function writeTranslation(writer: AttributeWriter, type: number, address: Address, port: number): void {
  const v6 = familyOf(address) === 6
  const outer = writer.nest(type)
  writer.bytes(v6 ? CTA_NAT_V6_MINIP : CTA_NAT_V4_MINIP, bytesOf(address))
  writer.bytes(v6 ? CTA_NAT_V6_MAXIP : CTA_NAT_V4_MAXIP, bytesOf(address))
  const proto = writer.nest(CTA_NAT_PROTO)
  writer.u16be(CTA_PROTONAT_PORT_MIN, port)
  writer.u16be(CTA_PROTONAT_PORT_MAX, port)
  writer.end(proto)
  writer.end(outer)
}

/** Writes what follows nfgenmsg in an IPCTNL_MSG_CT_GET dump that the kernel narrows to a mark. */
export function writeConnectionQuery(writer: AttributeWriter, filter: { mark?: number }): void {
  if (filter.mark === undefined) return
  writer.u32be(CTA_MARK, filter.mark)
  writer.u32be(CTA_MARK_MASK, 0xffffffff)
}

function writeTuple(writer: AttributeWriter, type: number, protocol: number, tuple: ConnectionTuple): void {
  const v6 = familyOf(tuple.source) === 6
  const outer = writer.nest(type)
  const ip = writer.nest(CTA_TUPLE_IP)
  writer.bytes(v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, bytesOf(tuple.source))
  writer.bytes(v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, bytesOf(tuple.destination))
  writer.end(ip)
  const proto = writer.nest(CTA_TUPLE_PROTO)
  writer.u8(CTA_PROTO_NUM, protocol)
  const icmp = icmpBase(protocol)
  if (icmp === undefined) {
    writer.u16be(CTA_PROTO_SRC_PORT, tuple.sourcePort)
    writer.u16be(CTA_PROTO_DST_PORT, tuple.destinationPort)
  } else {
    writer.u16be(icmp, tuple.sourcePort)
    writer.u8(icmp + 1, tuple.destinationPort >> 8)
    writer.u8(icmp + 2, tuple.destinationPort & 0xff)
  }
  writer.end(proto)
  writer.end(outer)
}

/** The attribute of the ICMP identifier; type and code follow it. */
function icmpBase(protocol: number): number | undefined {
  if (protocol === IPPROTO_ICMP) return CTA_PROTO_ICMP_ID
  return protocol === IPPROTO_ICMPV6 ? CTA_PROTO_ICMPV6_ID : undefined
}

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
