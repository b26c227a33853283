import {
  connectionEvent,
  decodeConnection,
  decodeLoggedPacket,
  type LoggedPacket,
  type Message,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NF_NETLINK_CONNTRACK_DESTROY,
  NF_NETLINK_CONNTRACK_NEW,
  NF_NETLINK_CONNTRACK_UPDATE,
  NFNL_SUBSYS_ULOG,
  NFPROTO_UNSPEC,
  NFULNL_MSG_CONFIG,
  nfnetlinkType,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV4_ROUTE,
  RTMGRP_IPV6_IFADDR,
  RTMGRP_IPV6_ROUTE,
  RTMGRP_LINK,
  RTMGRP_NEIGH,
  writeNetfilterHeader,
  writePacketLogBinding,
} from '../netlink/index.ts'
import { type Connection, HostError, type Namespace } from './contract.ts'
import { requestOn } from './netlink-socket.ts'
import { watchNetlink } from './watch.ts'

const connectionGroups = {
  new: NF_NETLINK_CONNTRACK_NEW,
  update: NF_NETLINK_CONNTRACK_UPDATE,
  destroy: NF_NETLINK_CONNTRACK_DESTROY,
}

/** Calls back for the conntrack events of the namespace. */
export function watchConnections(
  namespace: Pick<Namespace, 'run'>,
  onEvent: (event: 'new' | 'update' | 'destroy', connection: Connection) => void,
  onLost: () => void,
  events: readonly (keyof typeof connectionGroups)[] = ['new', 'update', 'destroy'],
): { close(): void } {
  const groups = events.reduce((bits, event) => bits | connectionGroups[event], 0)
  return watchNetlink(
    namespace,
    { step: 'watch connections', protocol: NETLINK_NETFILTER, groups },
    (message) => {
      const event = connectionEvent(message)
      const connection = event && decodeConnection(message)
      if (event !== undefined && connection !== undefined) onEvent(event, connection)
    },
    onLost,
  )
}

/** Calls back for each packet that the rules of the namespace log to a group. */
export function watchLoggedPackets(
  namespace: Pick<Namespace, 'run'>,
  group: number,
  bytes: number,
  onPacket: (packet: LoggedPacket) => void,
  onLost: () => void,
): { close(): void } {
  const step = `watch the packets of log group ${group}`
  const setUp = (netlink: number): void => {
    try {
      requestOn(netlink, step, nfnetlinkType(NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG), (writer) => {
        writeNetfilterHeader(writer, NFPROTO_UNSPEC, group)
        writePacketLogBinding(writer, bytes)
      })
    } catch (error) {
      // The kernel's answer when another socket has the group; without CAP_NET_ADMIN nothing of this namespace would be held.
      if (!(error instanceof HostError) || error.errno !== 'EPERM') throw error
      throw new HostError('busy', step, error.errno, 'another process listens to this group of the namespace')
    }
  }
  const take = (message: Message): void => {
    const packet = decodeLoggedPacket(message)
    if (packet !== undefined) onPacket(packet)
  }
  return watchNetlink(namespace, { step, protocol: NETLINK_NETFILTER, groups: 0, setUp }, take, onLost)
}

const networkChanges = {
  step: 'watch the network',
  protocol: NETLINK_ROUTE,
  groups: RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
}

type Change = 'link' | 'address' | 'route' | 'neighbour'

const changeOfType = new Map<number, Change>([
  [RTM_NEWLINK, 'link'],
  [RTM_DELLINK, 'link'],
  [RTM_NEWADDR, 'address'],
  [RTM_DELADDR, 'address'],
  [RTM_NEWROUTE, 'route'],
  [RTM_DELROUTE, 'route'],
  [RTM_NEWNEIGH, 'neighbour'],
  [RTM_DELNEIGH, 'neighbour'],
])

/** Calls back with the name of what changed in the namespace; for every name after messages were lost. */
export function watchNetwork(namespace: Pick<Namespace, 'run'>, onChange: (what: Change) => void): { close(): void } {
  return watchNetlink(
    namespace,
    networkChanges,
    (message) => {
      const change = changeOfType.get(message.type)
      if (change !== undefined) onChange(change)
    },
    () => {
      for (const change of new Set(changeOfType.values())) onChange(change)
    },
  )
}
