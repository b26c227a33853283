/** nft's words for numbers. Where a number has several words, the first is the one that nft prints. */
export type Words = readonly (readonly [word: string, value: number])[]

/** Transport protocols by the names of Debian's /etc/protocols, which is what nft prints. */
export const protocolWords: Words = [
  ['ip', 0],
  ['icmp', 1],
  ['igmp', 2],
  ['ipencap', 4],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6', 41],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
  ['ospf', 89],
  ['pim', 103],
  ['ipcomp', 108],
  ['comp', 108],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
]

/** include/uapi/linux/netfilter/nf_conntrack_common.h, as the bits that `ct state` yields (NF_CT_STATE_BIT). */
export const ctStateWords: Words = [
  ['invalid', 1],
  ['new', 8],
  ['established', 2],
  ['related', 4],
  ['untracked', 64],
]

/** enum ip_conntrack_status. */
export const ctStatusWords: Words = [
  ['expected', 1],
  ['seen-reply', 2],
  ['assured', 4],
  ['confirmed', 8],
  ['snat', 16],
  ['dnat', 32],
  ['dying', 512],
]

export const ctDirectionWords: Words = [
  ['original', 0],
  ['reply', 1],
]

/** RTN_* of include/uapi/linux/rtnetlink.h. */
export const fibTypeWords: Words = [
  ['unspec', 0],
  ['unicast', 1],
  ['local', 2],
  ['broadcast', 3],
  ['anycast', 4],
  ['multicast', 5],
  ['blackhole', 6],
  ['unreachable', 7],
  ['prohibit', 8],
]

export const nfprotoWords: Words = [
  ['ipv4', 2],
  ['ipv6', 10],
]

export const packetTypeWords: Words = [
  ['host', 0],
  ['unicast', 0],
  ['broadcast', 1],
  ['multicast', 2],
  ['other', 3],
]

export const tcpFlagWords: Words = [
  ['fin', 1],
  ['syn', 2],
  ['rst', 4],
  ['psh', 8],
  ['ack', 16],
  ['urg', 32],
  ['ecn', 64],
  ['cwr', 128],
]

/** RFC 792. */
export const icmpTypeWords: Words = [
  ['echo-reply', 0],
  ['destination-unreachable', 3],
  ['source-quench', 4],
  ['redirect', 5],
  ['echo-request', 8],
  ['router-advertisement', 9],
  ['router-solicitation', 10],
  ['time-exceeded', 11],
  ['parameter-problem', 12],
  ['timestamp-request', 13],
  ['timestamp-reply', 14],
]

/** RFC 4443, 4861, 2710, 3810. */
export const icmpv6TypeWords: Words = [
  ['destination-unreachable', 1],
  ['packet-too-big', 2],
  ['time-exceeded', 3],
  ['parameter-problem', 4],
  ['echo-request', 128],
  ['echo-reply', 129],
  ['mld-listener-query', 130],
  ['mld-listener-report', 131],
  ['mld-listener-done', 132],
  ['nd-router-solicit', 133],
  ['nd-router-advert', 134],
  ['nd-neighbor-solicit', 135],
  ['nd-neighbor-advert', 136],
  ['nd-redirect', 137],
  ['mld2-listener-report', 143],
]

export const arpOperationWords: Words = [
  ['request', 1],
  ['reply', 2],
]
