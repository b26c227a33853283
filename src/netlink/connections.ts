import { type Address, addressFromBytes, bytesOf, type Family, familyOf } from '../addr/index.ts'
import { type AttributeWriter, readAttributes } from './attributes.ts'
import { type Message, NLM_F_CREATE } from './message.ts'
import { NFGENMSG_LEN, NFNL_SUBSYS_CTNETLINK, nfnetlinkType } from './nfnetlink.ts'
import { present } from './optional.ts'
import { findFamily } from './route-family.ts'

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
export const IPCTNL_MSG_CT_NEW = 0
export const IPCTNL_MSG_CT_GET = 1
export const IPCTNL_MSG_CT_DELETE = 2
export const CTA_TUPLE_ORIG = 1
export const CTA_TUPLE_REPLY = 2
export const CTA_STATUS = 3
export const CTA_PROTOINFO = 4
export const CTA_TIMEOUT = 7
export const CTA_MARK = 8
export const CTA_ZONE = 18
export const CTA_MARK_MASK = 21
export const CTA_TUPLE_IP = 1
export const CTA_TUPLE_PROTO = 2
export const CTA_IP_V4_SRC = 1
export const CTA_IP_V4_DST = 2
export const CTA_IP_V6_SRC = 3
export const CTA_IP_V6_DST = 4
export const CTA_PROTO_NUM = 1
export const CTA_PROTO_SRC_PORT = 2
export const CTA_PROTO_DST_PORT = 3
export const CTA_PROTO_ICMP_ID = 4
export const CTA_PROTO_ICMPV6_ID = 7
export const CTA_PROTOINFO_TCP = 1
export const CTA_PROTOINFO_TCP_STATE = 1
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

/** Decodes IPCTNL_MSG_CT_NEW or IPCTNL_MSG_CT_DELETE; undefined for entries that are not of IP, or not of `protocol` when given. */
export function decodeConnection(message: Message, protocol?: number): ConnectionMessage | undefined {
  const { buffer, start, end } = message
  const family = findFamily(buffer[start]!)
  if (family === undefined) return undefined
  const attributes = readAttributes(buffer, start + NFGENMSG_LEN, end)
  const original = findTuple(attributes.bytes(CTA_TUPLE_ORIG), protocol)
  const reply = original && findTuple(attributes.bytes(CTA_TUPLE_REPLY))
  if (original === undefined || reply === undefined) return undefined
  const state =
    original.protocol === IPPROTO_TCP
      ? attributes.nested(CTA_PROTOINFO)?.nested(CTA_PROTOINFO_TCP)?.u8(CTA_PROTOINFO_TCP_STATE)
      : undefined
  return {
    family,
    protocol: original.protocol,
    original: original.tuple,
    reply: reply.tuple,
    mark: attributes.u32be(CTA_MARK) ?? 0,
    status: attributes.u32be(CTA_STATUS) ?? 0,
    ...present('timeoutSeconds', attributes.u32be(CTA_TIMEOUT)),
    ...present('tcpState', state === undefined ? undefined : conntrackTcpStates[state]),
    ...present('zone', attributes.u16be(CTA_ZONE)),
  }
}

function findTuple(
  bytes: Buffer | undefined,
  onlyProtocol?: number,
): { protocol: number; tuple: ConnectionTuple } | undefined {
  if (bytes === undefined) return undefined
  const outer = readAttributes(bytes)
  const proto = outer.nested(CTA_TUPLE_PROTO)
  const protocol = proto?.u8(CTA_PROTO_NUM)
  if (proto === undefined || protocol === undefined) return undefined
  if (onlyProtocol !== undefined && protocol !== onlyProtocol) return undefined
  const ip = outer.nested(CTA_TUPLE_IP)
  const source = ip?.bytes(CTA_IP_V4_SRC) ?? ip?.bytes(CTA_IP_V6_SRC)
  const destination = ip?.bytes(CTA_IP_V4_DST) ?? ip?.bytes(CTA_IP_V6_DST)
  if (source === undefined || destination === undefined) return undefined
  const icmp = icmpBase(protocol)
  const [sourcePort, destinationPort] =
    icmp === undefined
      ? [proto.u16be(CTA_PROTO_SRC_PORT) ?? 0, proto.u16be(CTA_PROTO_DST_PORT) ?? 0]
      : [proto.u16be(icmp) ?? 0, ((proto.u8(icmp + 1) ?? 0) << 8) | (proto.u8(icmp + 2) ?? 0)]
  const tuple = {
    source: addressFromBytes(source),
    destination: addressFromBytes(destination),
    sourcePort,
    destinationPort,
  }
  return { protocol, tuple }
}

/** What a message of a conntrack multicast group tells; undefined for messages of other kinds. */
export function connectionEvent(message: Message): 'new' | 'update' | 'destroy' | undefined {
  if (message.type === nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)) return 'destroy'
  if (message.type !== nfnetlinkType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW)) return undefined
  return (message.flags & NLM_F_CREATE) === 0 ? 'update' : 'new'
}
