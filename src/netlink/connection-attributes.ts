// include/uapi/linux/netfilter/nfnetlink_conntrack.h
export const CTA_TUPLE_ORIG = 1
export const CTA_TUPLE_REPLY = 2
export const CTA_STATUS = 3
export const CTA_PROTOINFO = 4
export const CTA_NAT_SRC = 6
export const CTA_TIMEOUT = 7
export const CTA_MARK = 8
export const CTA_COUNTERS_ORIG = 9
export const CTA_COUNTERS_REPLY = 10
export const CTA_NAT_DST = 13
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
export const CTA_COUNTERS_PACKETS = 1
export const CTA_COUNTERS_BYTES = 2
export const CTA_PROTOINFO_TCP = 1
export const CTA_PROTOINFO_TCP_STATE = 1
export const CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4
export const CTA_PROTOINFO_TCP_FLAGS_REPLY = 5
export const CTA_NAT_V4_MINIP = 1
export const CTA_NAT_V4_MAXIP = 2
export const CTA_NAT_PROTO = 3
export const CTA_NAT_V6_MINIP = 4
export const CTA_NAT_V6_MAXIP = 5
export const CTA_PROTONAT_PORT_MIN = 1
export const CTA_PROTONAT_PORT_MAX = 2

export const IPPROTO_ICMP = 1
export const IPPROTO_TCP = 6
export const IPPROTO_ICMPV6 = 58

/** The attribute of the ICMP identifier; type and code follow it. */
export function icmpBase(protocol: number): number | undefined {
  if (protocol === IPPROTO_ICMP) return CTA_PROTO_ICMP_ID
  return protocol === IPPROTO_ICMPV6 ? CTA_PROTO_ICMPV6_ID : undefined
}
