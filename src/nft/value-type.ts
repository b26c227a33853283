import { addressFromBytes } from '../addr/index.ts'
import { refuse, writeIpv4, writeIpv6 } from './address-text.ts'
import type { DataType } from './language.ts'
import { hex, hex8, load, numeric, store } from './number-type.ts'
import {
  arpOperationWords,
  ctDirectionWords,
  ctStateWords,
  ctStatusWords,
  fibTypeWords,
  icmpTypeWords,
  icmpv6TypeWords,
  nfprotoWords,
  packetTypeWords,
  protocolWords,
  tcpFlagWords,
  type Words,
} from './words.ts'

/** Types of values: those that sets may hold, and those that only expressions yield. */
export type ValueTypeName =
  | Exclude<DataType, 'verdict'>
  | 'integer'
  | 'nfproto'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'fib_addrtype'
  | 'ifindex'
  | 'uid'
  | 'pkttype'
  | 'tcp_flag'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'arpop'
  | 'boolean'
  | 'raw8'
  | 'raw16'
  | 'count'

/** How values of one type look as text and as bytes. */
export interface ValueType {
  readonly name: ValueTypeName
  /** nft's own number (enum datatypes of its datatype.h), which NFTA_SET_KEY_TYPE carries. */
  readonly id: number
  /** In bytes. */
  readonly size: number
  /** `host` values are little-endian in registers; `none` where the kernel has no order. */
  readonly order: 'network' | 'host' | 'none'
  /** How many elements nft prints on one line. */
  readonly perLine: number
  /** Flags, of which a match asks whether any is set. */
  readonly bitmask?: Words
  /** Writes the value that text[from, to) spells, `size` bytes at `at`; throws a TypeError when it spells none. */
  write(text: string, from: number, to: number, buffer: Uint8Array, at: number): void
  read(buffer: Uint8Array, at: number): string
}

/** `major:minor`, both hexadecimal (tc handles); 0 is `none`, 0xffffffff `root`. */
const classid: ValueType = {
  name: 'classid',
  id: 23,
  size: 4,
  order: 'host',
  perLine: 5,
  write(text, from, to, buffer, at) {
    const word = text.slice(from, to)
    if (word === 'none' || word === 'root') return store(word === 'none' ? 0 : 0xffffffff, 4, 'host', buffer, at)
    const match = /^([0-9a-f]{0,4}):([0-9a-f]{0,4})$/i.exec(word)
    if (match === null) return refuse('classid', text, from, to)
    store(Number.parseInt(match[2] || '0', 16), 2, 'host', buffer, at)
    store(Number.parseInt(match[1] || '0', 16), 2, 'host', buffer, at + 2)
  },
  read(buffer, at) {
    const value = load(4, 'host', buffer, at)
    if (value === 0) return 'none'
    return value === 0xffffffff ? 'root' : `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
  },
}

/** Interface names, quoted or bare; 16 bytes, zero-filled (IFNAMSIZ). */
const ifname: ValueType = {
  name: 'ifname',
  id: 41,
  size: 16,
  order: 'host',
  perLine: 1,
  write(text, from, to, buffer, at) {
    const name = text.slice(from, to).replace(/^"(.*)"$/, '$1')
    if (name === '' || name.length > 15 || /[^!-~]|["*]/.test(name)) refuse('ifname', text, from, to)
    for (let i = 0; i < 16; i++) buffer[at + i] = i < name.length ? name.charCodeAt(i) : 0
  },
  read(buffer, at) {
    let name = ''
    for (let i = at; i < at + 16 && buffer[i] !== 0; i++) name += String.fromCharCode(buffer[i] ?? 0)
    return `"${name}"`
  },
}

const etherAddress: ValueType = {
  name: 'ether_addr',
  id: 9,
  size: 6,
  order: 'network',
  perLine: 1,
  write(text, from, to, buffer, at) {
    const groups = text.slice(from, to).split(':')
    if (groups.length !== 6 || !groups.every((group) => /^[0-9a-f]{1,2}$/i.test(group))) {
      refuse('ether_addr', text, from, to)
    }
    for (const [i, group] of groups.entries()) buffer[at + i] = Number.parseInt(group, 16)
  },
  read(buffer, at) {
    return Array.from({ length: 6 }, (_, i) => (buffer[at + i] ?? 0).toString(16).padStart(2, '0')).join(':')
  },
}

const address = (size: 4 | 16) => (buffer: Uint8Array, at: number) => addressFromBytes(buffer.subarray(at, at + size))

/** Every type by name. Numbers and byte orders as nft 1.0.6 sends them (`nft --debug=mnl`). */
export const valueTypes: Readonly<Record<ValueTypeName, ValueType>> = {
  ipv4_addr: { name: 'ipv4_addr', id: 7, size: 4, order: 'network', perLine: 2, write: writeIpv4, read: address(4) },
  ipv6_addr: { name: 'ipv6_addr', id: 8, size: 16, order: 'network', perLine: 1, write: writeIpv6, read: address(16) },
  ether_addr: etherAddress,
  ifname,
  classid,
  inet_proto: numeric({ name: 'inet_proto', id: 12, size: 1, order: 'none', perLine: 5, words: protocolWords }),
  inet_service: numeric({ name: 'inet_service', id: 13, size: 2, order: 'network', perLine: 5 }),
  mark: numeric({ name: 'mark', id: 19, size: 4, order: 'host', perLine: 5 }, hex8),
  integer: numeric({ name: 'integer', id: 4, size: 4, order: 'host', perLine: 5 }),
  raw8: numeric({ name: 'raw8', id: 4, size: 1, order: 'none', perLine: 5 }, hex),
  raw16: numeric({ name: 'raw16', id: 4, size: 2, order: 'network', perLine: 5 }, hex),
  count: numeric({ name: 'count', id: 4, size: 8, order: 'host', perLine: 5 }),
  nfproto: numeric({ name: 'nfproto', id: 2, size: 1, order: 'none', perLine: 5, words: nfprotoWords }),
  ct_state: numeric({
    name: 'ct_state',
    id: 26,
    size: 4,
    order: 'host',
    perLine: 1,
    words: ctStateWords,
    bitmask: true,
  }),
  ct_status: numeric({
    name: 'ct_status',
    id: 28,
    size: 4,
    order: 'host',
    perLine: 1,
    words: ctStatusWords,
    bitmask: true,
  }),
  ct_dir: numeric({ name: 'ct_dir', id: 27, size: 1, order: 'none', perLine: 5, words: ctDirectionWords }),
  fib_addrtype: numeric({ name: 'fib_addrtype', id: 38, size: 4, order: 'host', perLine: 1, words: fibTypeWords }),
  ifindex: numeric({ name: 'ifindex', id: 20, size: 4, order: 'host', perLine: 5 }),
  uid: numeric({ name: 'uid', id: 24, size: 4, order: 'host', perLine: 5 }),
  pkttype: numeric({ name: 'pkttype', id: 31, size: 1, order: 'none', perLine: 1, words: packetTypeWords }),
  tcp_flag: numeric({
    name: 'tcp_flag',
    id: 15,
    size: 1,
    order: 'none',
    perLine: 1,
    words: tcpFlagWords,
    bitmask: true,
  }),
  icmp_type: numeric({ name: 'icmp_type', id: 14, size: 1, order: 'none', perLine: 5, words: icmpTypeWords }),
  icmpv6_type: numeric({ name: 'icmpv6_type', id: 29, size: 1, order: 'none', perLine: 5, words: icmpv6TypeWords }),
  arpop: numeric({ name: 'arpop', id: 11, size: 2, order: 'network', perLine: 5, words: arpOperationWords }),
  boolean: numeric({
    name: 'boolean',
    id: 39,
    size: 1,
    order: 'none',
    perLine: 1,
    words: [
      ['missing', 0],
      ['exists', 1],
    ],
  }),
}

/** The same type with its values in network order, as sets of ranges hold them. */
export function networkOrdered(type: ValueType): ValueType {
  if (type.order !== 'host') return type
  return {
    ...type,
    order: 'network',
    write(text, from, to, buffer, at) {
      type.write(text, from, to, buffer, at)
      buffer.subarray(at, at + type.size).reverse()
    },
    read: (buffer, at) => type.read(buffer.slice(at, at + type.size).reverse(), 0),
  }
}
