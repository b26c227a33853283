import type { Family } from '../addr/index.ts'
import type { Chain, Element, Expression, Operation, Rule, SetDeclaration, Statement, TableFamily } from './lower.ts'

/** The name of the table, one per family. */
export const tableName = 'plumb-services'

/** The words of one family. */
interface Words {
  readonly table: TableFamily
  readonly address: 'ipv4_addr' | 'ipv6_addr'
  readonly source: 'ip saddr' | 'ip6 saddr'
  readonly destination: 'ip daddr' | 'ip6 daddr'
}

const words: Readonly<Record<Family, Words>> = {
  4: { table: 'ip', address: 'ipv4_addr', source: 'ip saddr', destination: 'ip daddr' },
  6: { table: 'ip6', address: 'ipv6_addr', source: 'ip6 saddr', destination: 'ip6 daddr' },
}

/** The sets and maps of one family's table. */
export interface Sets {
  readonly serviceClass: SetDeclaration
  readonly classes: SetDeclaration
  readonly endpoints: SetDeclaration
  readonly clusterIps: SetDeclaration
  readonly servicePrefixes: SetDeclaration
  readonly podPrefixes: SetDeclaration
  readonly hairpin: SetDeclaration
}

function declare({ address }: Words): Sets {
  const frontend = [address, 'inet_proto', 'inet_service'] as const
  return {
    serviceClass: {
      name: 'service-class',
      key: frontend,
      value: ['classid'],
      comment: 'how many endpoints a port has',
    },
    classes: { name: 'classes', key: ['classid'], value: ['verdict'] },
    endpoints: { name: 'endpoints', key: [...frontend, 'classid'], value: [address, 'inet_service'] },
    clusterIps: { name: 'cluster-ips', key: [address] },
    servicePrefixes: { name: 'service-prefixes', key: [address], flags: ['interval'] },
    podPrefixes: { name: 'pod-prefixes', key: [address], flags: ['interval'] },
    hairpin: { name: 'hairpin', key: [address, address], comment: 'endpoints of this node' },
  }
}

/** The sets and maps by family. */
export const sets: Readonly<Record<Family, Sets>> = { 4: declare(words[4]), 6: declare(words[6]) }

/** Where a table is, for operations. */
export function tableOf(family: Family): { readonly family: TableFamily; readonly table: string } {
  return { family: words[family].table, table: tableName }
}

/**
 * The class of a port with `count` endpoints; 0 stands for silence. Classids are written in hex, and the major number
 * 706c is Plumb's own: a packet whose lookup missed keeps the priority it came with, which must not mean a class.
 */
export function classOf(count: number): string {
  return `706c:${count.toString(16)}`
}

/** An endpoint's index as the last part of a key in `endpoints`: the number that `numgen` leaves in the priority, as a classid. */
export function indexOf(index: number): string {
  return `${(index >>> 16).toString(16)}:${(index & 0xffff).toString(16)}`
}

/** The chain that balances over `count` endpoints. */
function balanceChain(count: number): string {
  return `lb-${count}`
}

const priority: Expression = { kind: 'meta', key: 'priority' }

/** What a port with `count` endpoints needs before the first Service has that many. */
export function growClass(family: Family, count: number): readonly Operation[] {
  const at = tableOf(family)
  const chain = balanceChain(count)
  const element: Element = { key: classOf(count), value: `goto ${chain}` }
  return [
    { kind: 'add-chain', ...at, chain: { name: chain } },
    ...balanceRules(count).map((rule): Operation => ({ kind: 'add-rule', ...at, chain, rule })),
    { kind: 'add-elements', ...at, set: sets[family].classes, elements: [element] },
  ]
}

/** A number below `count` goes through the priority into the key of `endpoints`. */
function balanceRules(count: number): readonly Rule[] {
  const number: Expression =
    count === 1 ? { kind: 'constant', text: indexOf(0) } : { kind: 'numgen', mode: 'random', modulus: count }
  return [{ statements: [{ kind: 'set', target: 'meta priority', value: number }, goto(translate)] }]
}

/**
 * One chain for all counts, because the kernel walks a whole map when a rule of another chain begins to use it
 * (nf_tables_bind_set). Lookups see a commit at once and rules only with the next packet, so a packet may ask for an index
 * that has just gone: it takes the first endpoint instead.
 */
function translateRules(family: Family): readonly Rule[] {
  const key: Expression = { kind: 'concat', of: [...frontendKey(family), priority] }
  const to: Expression = { kind: 'lookup', key, map: sets[family].endpoints.name }
  const dnat: Rule = { statements: [{ kind: 'dnat', family, to, withPort: true }] }
  const first: Expression = { kind: 'constant', text: indexOf(0) }
  return [dnat, { statements: [{ kind: 'set', target: 'meta priority', value: first }] }, dnat]
}

function frontendKey(family: Family): readonly Expression[] {
  return [
    { kind: 'payload', field: words[family].destination },
    { kind: 'meta', key: 'l4proto' },
    { kind: 'payload', field: 'th dport' },
  ]
}

/** A table without contents: sets first, then the chains that use them. */
export function createTable(family: Family): readonly Operation[] {
  const at = tableOf(family)
  const declared = sets[family]
  return [
    { kind: 'add-table', ...at },
    ...Object.values(declared).map((set): Operation => ({ kind: 'add-set', ...at, set })),
    ...chains(family).flatMap(({ rules, ...chain }): Operation[] => [
      { kind: 'add-chain', ...at, chain },
      ...rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: chain.name, rule })),
    ]),
    { kind: 'add-elements', ...at, set: declared.classes, elements: [{ key: classOf(0), value: 'drop' }] },
    ...growClass(family, 1),
  ]
}

const unserved = 'unserved'
const services = 'services'
const translate = 'translate'

function chains(family: Family): readonly Chain[] {
  const hook = (
    type: 'filter' | 'nat',
    at: 'prerouting' | 'forward' | 'output' | 'postrouting',
    priority: number,
  ): Chain['hook'] => ({ type, hook: at, priority, policy: 'accept' })
  const jumpTo = (chain: string): Rule => ({ statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain } }] })
  const newTo = (chain: string): Rule => ({
    statements: [newConnection, { kind: 'verdict', verdict: { kind: 'jump', chain } }],
  })
  return [
    { name: services, rules: classify(family) },
    { name: translate, rules: translateRules(family) },
    { name: unserved, rules: refuse(family) },
    { name: 'nat-prerouting', hook: hook('nat', 'prerouting', -100), rules: [jumpTo(services)] },
    { name: 'nat-output', hook: hook('nat', 'output', -100), rules: [jumpTo(services)] },
    { name: 'filter-forward', hook: hook('filter', 'forward', 0), rules: [newTo(unserved)] },
    // After nat-output: what still has a ClusterIP as its destination found no endpoint.
    { name: 'filter-output', hook: hook('filter', 'output', -90), rules: [newTo(unserved)] },
    { name: 'nat-postrouting', hook: hook('nat', 'postrouting', 100), rules: masquerade(family) },
  ]
}

const newConnection: Statement = {
  kind: 'match',
  left: { kind: 'ct', key: 'state' },
  operator: '==',
  right: 'new',
}

function classify(family: Family): readonly Rule[] {
  const { serviceClass, classes } = sets[family]
  const lookup: Expression = {
    kind: 'lookup',
    key: { kind: 'concat', of: frontendKey(family) },
    map: serviceClass.name,
  }
  return [
    { statements: [{ kind: 'set', target: 'meta priority', value: lookup }] },
    { statements: [{ kind: 'vmap', key: priority, map: classes.name }] },
  ]
}

function refuse(family: Family): readonly Rule[] {
  const { clusterIps, servicePrefixes } = sets[family]
  const to = (set: SetDeclaration): Statement => ({
    kind: 'match',
    left: { kind: 'payload', field: words[family].destination },
    operator: '==',
    right: { set: set.name },
  })
  return [
    {
      comment: 'no endpoints, or no such port',
      statements: [to(clusterIps), { kind: 'reject', with: 'port-unreachable' }],
    },
    {
      comment: 'no such Service',
      statements: [to(servicePrefixes), { kind: 'verdict', verdict: { kind: 'drop' } }],
    },
  ]
}

/** Replies must come back through this node: to an endpoint that called itself, and to a client that is no pod. */
function masquerade(family: Family): readonly Rule[] {
  const { source, table } = words[family]
  const { clusterIps, podPrefixes, hairpin } = sets[family]
  const translated: Statement = { kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right: 'dnat' }
  const address: Expression = { kind: 'payload', field: source }
  const pair: Expression = { kind: 'concat', of: [address, { kind: 'payload', field: words[family].destination }] }
  const original: Expression = {
    kind: 'ct',
    key: table === 'ip' ? 'ip daddr' : 'ip6 daddr',
    direction: 'original',
  }
  return [
    {
      comment: 'an endpoint calls itself',
      statements: [
        translated,
        { kind: 'match', left: pair, operator: '==', right: { set: hairpin.name } },
        { kind: 'masquerade', flags: ['fully-random'] },
      ],
    },
    {
      comment: 'the client is no pod',
      statements: [
        translated,
        { kind: 'match', left: original, operator: '==', right: { set: clusterIps.name } },
        { kind: 'match', left: address, operator: '!=', right: { set: podPrefixes.name } },
        { kind: 'masquerade', flags: ['fully-random'] },
      ],
    },
  ]
}

function goto(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'goto', chain } }
}
