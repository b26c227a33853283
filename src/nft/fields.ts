import type { Expression, TableFamily } from './language.ts'
import { type ValueType, type ValueTypeName, valueTypes } from './value-type.ts'

type PayloadField = Extract<Expression, { kind: 'payload' }>['field']

/** Where a header field lies, and what the packet must be for it to be there. */
export interface FieldPlace {
  /** 0 link, 1 network, 2 transport header (enum nft_payload_bases). */
  readonly base: 0 | 1 | 2
  readonly offset: number
  readonly type: ValueTypeName
  readonly network?: 'ipv4' | 'ipv6' | 'arp'
  readonly transport?: 'tcp' | 'icmp' | 'ipv6-icmp'
}

/** Offsets by RFC 791, 8200, 9293, 792, 4443, 826 and IEEE 802.3. */
export const payloadFields: Readonly<Record<PayloadField, FieldPlace>> = {
  'ip saddr': { base: 1, offset: 12, type: 'ipv4_addr', network: 'ipv4' },
  'ip daddr': { base: 1, offset: 16, type: 'ipv4_addr', network: 'ipv4' },
  'ip protocol': { base: 1, offset: 9, type: 'inet_proto', network: 'ipv4' },
  'ip6 saddr': { base: 1, offset: 8, type: 'ipv6_addr', network: 'ipv6' },
  'ip6 daddr': { base: 1, offset: 24, type: 'ipv6_addr', network: 'ipv6' },
  'th sport': { base: 2, offset: 0, type: 'inet_service' },
  'th dport': { base: 2, offset: 2, type: 'inet_service' },
  'tcp flags': { base: 2, offset: 13, type: 'tcp_flag', transport: 'tcp' },
  'icmp type': { base: 2, offset: 0, type: 'icmp_type', network: 'ipv4', transport: 'icmp' },
  'icmpv6 type': { base: 2, offset: 0, type: 'icmpv6_type', network: 'ipv6', transport: 'ipv6-icmp' },
  'icmp id': { base: 2, offset: 4, type: 'inet_service', network: 'ipv4', transport: 'icmp' },
  'icmpv6 id': { base: 2, offset: 4, type: 'inet_service', network: 'ipv6', transport: 'ipv6-icmp' },
  '@th,136,8': { base: 2, offset: 17, type: 'raw8' },
  '@th,224,16': { base: 2, offset: 28, type: 'raw16' },
  '@th,256,16': { base: 2, offset: 32, type: 'raw16' },
  '@th,112,8': { base: 2, offset: 14, type: 'raw8' },
  '@th,384,16': { base: 2, offset: 48, type: 'raw16' },
  '@th,416,16': { base: 2, offset: 52, type: 'raw16' },
  'ether saddr': { base: 0, offset: 6, type: 'ether_addr' },
  'ether daddr': { base: 0, offset: 0, type: 'ether_addr' },
  'arp operation': { base: 1, offset: 6, type: 'arpop', network: 'arp' },
  'arp saddr ip': { base: 1, offset: 14, type: 'ipv4_addr', network: 'arp' },
  'arp daddr ip': { base: 1, offset: 24, type: 'ipv4_addr', network: 'arp' },
}

/** enum nft_meta_keys. */
export const metaKeys = {
  l4proto: { id: 16, type: 'inet_proto' },
  iifname: { id: 6, type: 'ifname' },
  oifname: { id: 7, type: 'ifname' },
  mark: { id: 3, type: 'mark' },
  priority: { id: 2, type: 'classid' },
  nfproto: { id: 15, type: 'nfproto' },
  pkttype: { id: 19, type: 'pkttype' },
  skuid: { id: 10, type: 'uid' },
} as const satisfies Record<string, { id: number; type: ValueTypeName }>

/** Meta keys that only dependencies use. */
export const META_PROTOCOL = 1
export const META_IIFTYPE = 8

/** enum nft_ct_keys. */
export const ctKeys = {
  state: { id: 0, type: 'ct_state' },
  direction: { id: 1, type: 'ct_dir' },
  status: { id: 2, type: 'ct_status' },
  mark: { id: 3, type: 'mark' },
  packets: { id: 14, type: 'count' },
  'proto-src': { id: 11, type: 'inet_service' },
  'proto-dst': { id: 12, type: 'inet_service' },
  'ip saddr': { id: 19, type: 'ipv4_addr' },
  'ip daddr': { id: 20, type: 'ipv4_addr' },
  'ip6 saddr': { id: 21, type: 'ipv6_addr' },
  'ip6 daddr': { id: 22, type: 'ipv6_addr' },
} as const satisfies Record<string, { id: number; type: ValueTypeName }>

/** enum nft_fib_result. */
export const fibResults = {
  oif: { id: 1, type: 'ifindex' },
  oifname: { id: 2, type: 'ifname' },
  type: { id: 3, type: 'fib_addrtype' },
} as const satisfies Record<string, { id: number; type: ValueTypeName }>

/** enum nft_fib_flags; `present` asks only whether there is a route. */
export const fibFlags = { saddr: 1, daddr: 2, mark: 4, iif: 8, present: 32 } as const

/** The type of each part of an expression. A constant and a lookup have none of their own. */
export function partTypes(expression: Expression): readonly ValueType[] {
  switch (expression.kind) {
    case 'payload':
      return [valueTypes[payloadFields[expression.field].type]]
    case 'meta':
      return [valueTypes[metaKeys[expression.key].type]]
    case 'ct':
      return [valueTypes[ctKeys[expression.key].type]]
    case 'fib':
      return [valueTypes[fibResults[expression.result].type]]
    case 'numgen':
    case 'jhash':
      return [valueTypes.integer]
    case 'concat':
      return expression.of.flatMap(partTypes)
    case 'bitwise':
      return partTypes(expression.of)
    case 'constant':
    case 'lookup':
      throw new TypeError(`"${expression.kind}" has no type of its own here`)
    default:
      return expression satisfies never
  }
}

/** The one network protocol that a table of this family sees, if it is one. */
export function ownNetwork(family: TableFamily): 'ipv4' | 'ipv6' | 'arp' | undefined {
  return family === 'ip' ? 'ipv4' : family === 'ip6' ? 'ipv6' : family === 'arp' ? 'arp' : undefined
}

/** The dependency of `th` fields that one match of the transport protocol names, as in `meta l4proto tcp`. */
export function isTransportKey(expression: Expression): boolean {
  return (
    (expression.kind === 'meta' && expression.key === 'l4proto') ||
    (expression.kind === 'payload' && expression.field === 'ip protocol')
  )
}
