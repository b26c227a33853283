import { type Address, bytesOf, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import {
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_MARK,
  CTA_MARK_MASK,
  CTA_NAT_DST,
  CTA_NAT_PROTO,
  CTA_NAT_SRC,
  CTA_NAT_V4_MAXIP,
  CTA_NAT_V4_MINIP,
  CTA_NAT_V6_MAXIP,
  CTA_NAT_V6_MINIP,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
  CTA_PROTOINFO_TCP_FLAGS_REPLY,
  CTA_PROTOINFO_TCP_STATE,
  CTA_PROTONAT_PORT_MAX,
  CTA_PROTONAT_PORT_MIN,
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
  type ConnectionName,
  type ConnectionTuple,
  conntrackTcpStates,
  IPS_ASSURED,
  IPS_SEEN_REPLY,
  type TranslatedConnection,
} from './connections.ts'

// include/uapi/linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_common.h
const IP_CT_TCP_FLAG_BE_LIBERAL = 0x08
/** It is in the table. */
const IPS_CONFIRMED = 8

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
