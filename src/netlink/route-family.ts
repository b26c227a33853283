/** Message types and multicast groups of rtnetlink (include/uapi/linux/rtnetlink.h). */
export const NETLINK_ROUTE = 0
export const NETLINK_SOCK_DIAG = 4
export const NETLINK_NETFILTER = 12

export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_SETLINK = 19
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26
export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30
export const RTM_NEWRULE = 32
export const RTM_DELRULE = 33
export const RTM_GETRULE = 34

/** Legacy multicast groups, as bits of sockaddr_nl.nl_groups. */
export const RTMGRP_LINK = 0x1
export const RTMGRP_NEIGH = 0x4
export const RTMGRP_IPV4_IFADDR = 0x10
export const RTMGRP_IPV4_ROUTE = 0x40
export const RTMGRP_IPV6_IFADDR = 0x100
export const RTMGRP_IPV6_ROUTE = 0x400

/** The kernel's number of an IP family. */
export function addressFamily(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6
}

/** The IP family of a kernel number, or undefined for others. */
export function findFamily(number: number): 4 | 6 | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined
}
