import type { Family } from '../addr/index.ts'
import type { Expression, Field, Statement } from './language.ts'

/** The table of egress, one per family. */
export const egressTableName = 'plumb-egress'

/**
 * Marks of packets that go to a node by policy routing; the low 16 bits are the node's index. `outwards`: to the owner of their address;
 * `inwards`: to the node whose pod they answer. The two differ in bits that the routing rule's mask leaves out.
 */
export const marks = {
  outwards: 0x50e00000,
  inwards: 0x50d00000,
  own: 0xffff,
  routed: 0x50c00000,
  mask: 0xffcfffff,
} as const

/** Which family's words a table uses. */
export const words = {
  4: {
    tableFamily: 'ip',
    address: 'ipv4_addr',
    source: 'ip saddr',
    destination: 'ip daddr',
    icmp: 'icmp',
    icmpType: 'icmp type',
    icmpId: 'icmp id',
    errors: ['destination-unreachable', 'time-exceeded', 'parameter-problem'],
    inner: { protocol: '@th,136,8', port: '@th,224,16', echo: '@th,256,16', icmp: '0x1' },
  },
  6: {
    tableFamily: 'ip6',
    address: 'ipv6_addr',
    source: 'ip6 saddr',
    destination: 'ip6 daddr',
    icmp: 'ipv6-icmp',
    icmpType: 'icmpv6 type',
    icmpId: 'icmpv6 id',
    errors: ['destination-unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem'],
    inner: { protocol: '@th,112,8', port: '@th,384,16', echo: '@th,416,16', icmp: '0x3a' },
  },
} as const satisfies Record<Family, object>

/** A header field. */
export function payload(field: Field): Expression {
  return { kind: 'payload', field }
}

/** Meta data of the packet. */
export function meta(key: 'mark' | 'l4proto'): Expression {
  return { kind: 'meta', key }
}

/** A comparison. */
export function is(
  left: Expression,
  right: Extract<Statement, { kind: 'match' }>['right'],
  operator: '==' | '!=' = '==',
): Statement {
  return { kind: 'match', left, operator, right }
}

export const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }
export const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }

/** As nft spells numbers of marks and raw fields. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
