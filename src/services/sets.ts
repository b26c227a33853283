import type { Family } from '../addr/index.ts'
import type { DataType, Element, Expression, SetDeclaration, TableFamily } from './lower.ts'
import type { Hashing } from './model.ts'

/** The name of the table, one per family. */
export const tableName = 'plumb-services'

/** The words of one family. */
interface Words {
  readonly table: TableFamily
  readonly address: Extract<DataType, 'ipv4_addr' | 'ipv6_addr'>
  readonly source: 'ip saddr' | 'ip6 saddr'
  readonly destination: 'ip daddr' | 'ip6 daddr'
}

/** What the families call the same things. */
export const words: Readonly<Record<Family, Words>> = {
  4: { table: 'ip', address: 'ipv4_addr', source: 'ip saddr', destination: 'ip daddr' },
  6: { table: 'ip6', address: 'ipv6_addr', source: 'ip6 saddr', destination: 'ip6 daddr' },
}

/** Connections that the affinity set remembers per family; those beyond are balanced afresh. */
const maxRemembered = 1 << 20

/** Connections whose cut is told; clients of those beyond find out for themselves. */
const maxCut = 1 << 16

function declare({ address }: Words) {
  const frontend = [address, 'inet_proto', 'inet_service'] as const
  const endpoint = [address, 'inet_service'] as const
  return {
    serviceClass: {
      name: 'service-class',
      key: frontend,
      value: ['classid'],
      comment: 'how many endpoints a port has',
    },
    insideClass: {
      name: 'inside-class',
      key: frontend,
      value: ['classid'],
      comment: 'externalTrafficPolicy Local: the same for pods and this node',
    },
    classes: { name: 'classes', key: ['classid'], value: ['verdict'] },
    localClasses: { name: 'local-classes', key: ['classid'], value: ['verdict'] },
    endpoints: { name: 'endpoints', key: [...frontend, 'classid'], value: endpoint },
    localEndpoints: {
      name: 'local-endpoints',
      key: [...frontend, 'classid'],
      value: endpoint,
      comment: 'externalTrafficPolicy Local: endpoints of this node',
    },
    seats: { name: 'seats', key: ['classid'], value: endpoint, comment: 'endpoints that clients return to' },
    affinity: {
      name: 'affinity',
      key: [address, 'classid'],
      flags: ['timeout', 'dynamic'],
      size: maxRemembered,
      comment: 'clients and their seats',
    },
    clusterIps: { name: 'cluster-ips', key: [address] },
    servicePrefixes: { name: 'service-prefixes', key: [address], flags: ['interval'] },
    podPrefixes: { name: 'pod-prefixes', key: [address], flags: ['interval'] },
    ownPodPrefixes: {
      name: 'own-pod-prefixes',
      key: [address],
      flags: ['interval'],
      comment: 'externalTrafficPolicy Local: pods of this node',
    },
    hairpin: { name: 'hairpin', key: [address, address], comment: 'endpoints of this node' },
    externalCluster: { name: 'external-cluster', key: frontend, comment: 'externalTrafficPolicy Cluster' },
    externalLocal: { name: 'external-local', key: frontend, comment: 'externalTrafficPolicy Local' },
    cut: {
      name: 'cut',
      key: [address, 'inet_service', address, 'inet_service'],
      flags: ['timeout'],
      size: maxCut,
      comment: 'connections that were cut: their clients are told',
    },
    noEndpoints: { name: 'no-endpoints', key: frontend, comment: 'external ports that nobody serves' },
    sourceRanged: { name: 'source-ranged', key: frontend, comment: 'loadBalancerSourceRanges' },
    allowedSources: { name: 'allowed-sources', key: [...frontend, address], flags: ['interval'] },
  } satisfies Record<string, SetDeclaration>
}

/** The sets and maps of one family's table. */
export type Sets = Readonly<Record<keyof ReturnType<typeof declare>, SetDeclaration>>

/** The sets and maps by family. */
export const sets: Readonly<Record<Family, Sets>> = { 4: declare(words[4]), 6: declare(words[6]) }

/** Where a table is, for operations. */
export function tableOf(family: Family): { readonly family: TableFamily; readonly table: string } {
  return { family: words[family].table, table: tableName }
}

/**
 * How a class leads on: to `count` endpoints for everybody or for who comes from outside, drawn by chance or found by a hash, or to
 * the affinity chain `id`.
 */
export type Class =
  | { readonly kind: 'balance' | 'local'; readonly count: number; readonly hashed: Hashing['by'] | undefined }
  | { readonly kind: 'affinity' | 'local-affinity'; readonly id: number }

const majors = {
  balance: '706c',
  local: '706d',
  affinity: '706e',
  'local-affinity': '706f',
  'balance connection': '7070',
  'local connection': '7071',
  'balance source-address': '7072',
  'local source-address': '7073',
} as const

/**
 * A class as `service-class` holds it; `balance` of 0 stands for silence. Classids are written in hex, and the major numbers
 * 706c to 7073 are Plumb's own: a packet whose lookup missed keeps the priority it came with, which must not mean a class.
 */
export function classId(one: Class): string {
  if (!('count' in one)) return `${majors[one.kind]}:${one.id.toString(16)}`
  const major = one.hashed === undefined ? one.kind : (`${one.kind} ${one.hashed}` as const)
  return `${majors[major]}:${one.count.toString(16)}`
}

const classOfMajor: ReadonlyMap<string, (number: number) => Class> = new Map([
  ...(['balance', 'local'] as const).flatMap((kind): [string, (count: number) => Class][] => [
    [majors[kind], (count) => ({ kind, count, hashed: undefined })],
    ...(['connection', 'source-address'] as const).map((hashed): [string, (count: number) => Class] => [
      majors[`${kind} ${hashed}`],
      (count) => ({ kind, count, hashed }),
    ]),
  ]),
  ...(['affinity', 'local-affinity'] as const).map((kind): [string, (id: number) => Class] => [
    majors[kind],
    (id) => ({ kind, id }),
  ]),
])

/** What a class in the kernel means, if it is one. */
export function readClass(text: string): Class | undefined {
  const [major = '', minor = ''] = text.split(':')
  return classOfMajor.get(major)?.(Number.parseInt(minor === '' ? '0' : minor, 16))
}

/** A number of 32 bits as nft writes it where it means a class: an endpoint's index as `numgen` leaves it in the priority, or its seat. */
export function classidOf(number: number): string {
  return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`
}

/** The number behind a classid as nft prints it, which is `none` for 0. */
export function numberOf(classid: string): number {
  const [major = '', minor = ''] = classid === 'none' ? [] : classid.split(':')
  return ((Number.parseInt(major || '0', 16) << 16) | Number.parseInt(minor || '0', 16)) >>> 0
}

/** The packet's priority, which joins one lookup with the next. */
export const priority: Expression = { kind: 'meta', key: 'priority' }

/** What a packet asks for, as the maps of frontends are keyed. */
export function frontendKey(family: Family): readonly Expression[] {
  return [
    { kind: 'payload', field: words[family].destination },
    { kind: 'meta', key: 'l4proto' },
    { kind: 'payload', field: 'th dport' },
  ]
}

/** The element that makes a class lead to a chain. */
export function classElement(one: Class, chain: string): Element {
  return { key: classId(one), value: `goto ${chain}` }
}
