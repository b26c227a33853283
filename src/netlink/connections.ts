import type { Address, Family } from '../addr/index.ts'

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
export const IPCTNL_MSG_CT_NEW = 0
export const IPCTNL_MSG_CT_GET = 1
export const IPCTNL_MSG_CT_DELETE = 2
// include/uapi/linux/netfilter/nf_conntrack_common.h
/** Packets went both ways. */
export const IPS_SEEN_REPLY = 2
/** It may not be thrown out early for want of room: TCP is established, UDP goes to and fro. */
export const IPS_ASSURED = 4
/** Multicast groups, as bits of sockaddr_nl.nl_groups. */
export const NF_NETLINK_CONNTRACK_NEW = 1
export const NF_NETLINK_CONNTRACK_UPDATE = 2
export const NF_NETLINK_CONNTRACK_DESTROY = 4

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

/** What a translated connection is made of: the reply direction tells to whom the destination and the source are translated. */
export type TranslatedConnection = Pick<ConnectionMessage, 'family' | 'protocol' | 'original' | 'reply'> & {
  readonly timeoutSeconds: number
  readonly mark?: number
}
