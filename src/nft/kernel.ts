import {
  NFPROTO_ARP,
  NFPROTO_BRIDGE,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_NETDEV,
} from '../netlink/index.ts'
import type { Chain, TableFamily, Verdict } from './language.ts'

/** enum nf_tables_msg_types. */
export const messages = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  deleteSet: 11,
  newElements: 12,
  getElements: 13,
  deleteElements: 14,
  getGeneration: 16,
  newFlowtable: 22,
} as const

/** Families by number (NFPROTO_*). */
export const familyNumbers: Readonly<Record<TableFamily, number>> = {
  ip: NFPROTO_IPV4,
  ip6: NFPROTO_IPV6,
  inet: NFPROTO_INET,
  arp: NFPROTO_ARP,
  bridge: NFPROTO_BRIDGE,
  netdev: NFPROTO_NETDEV,
}

type Hook = NonNullable<Chain['hook']>['hook']

/** Hook numbers (enum nf_inet_hooks); ARP has two of its own. */
export function hookNumber(family: TableFamily, hook: Hook): number {
  if (family !== 'arp') return { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 }[hook]
  if (hook === 'input') return 0
  if (hook === 'output') return 1
  throw new TypeError(`ARP has no hook ${hook}`)
}

/** enum nft_verdicts; accept and drop are NF_ACCEPT and NF_DROP. */
export const verdictCodes: Readonly<Record<Verdict['kind'], number>> = {
  drop: 0,
  accept: 1,
  continue: -1,
  jump: -3,
  goto: -4,
  return: -5,
}

/** enum nft_set_flags. */
export const setFlags = {
  anonymous: 0x1,
  constant: 0x2,
  interval: 0x4,
  map: 0x8,
  timeout: 0x10,
  dynamic: 0x20,
  concat: 0x80,
} as const

/** Every list item of nftables is an attribute of this type. */
export const NFTA_LIST_ELEM = 1
/** The items of a list of devices. */
export const NFTA_DEVICE_NAME = 1
/** NFT_SET_ELEM_INTERVAL_END: the element ends an interval and is not in it. */
export const ELEMENT_INTERVAL_END = 1
