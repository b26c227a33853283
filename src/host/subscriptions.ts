import {
  connectionEvent,
  decodeConnection,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NF_NETLINK_CONNTRACK_DESTROY,
  NF_NETLINK_CONNTRACK_NEW,
  NF_NETLINK_CONNTRACK_UPDATE,
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
} from '../netlink/index.ts'
import type { Connection, Namespace } from './contract.ts'
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
