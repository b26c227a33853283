import { createHash } from 'node:crypto'
import {
  type Address,
  disjoint,
  type Family,
  type Prefix,
  parsePrefix,
  prefixFamily,
  renderPrefix,
} from '../addr/index.ts'
import type { Chain, Expression, Operation, Rule, SetDeclaration, Statement, TableFamily } from '../nft/index.ts'
import type { Bandwidth, EgressNode, PortRange, Scope } from './model.ts'
import { portsOfNode } from './ports.ts'

export type { Chain, Operation, Rule, SetDeclaration, TableFamily }

type Field = Extract<Expression, { kind: 'payload' }>['field']

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

/** Destinations that are never egress, beside pods, nodes and Services: they do not leave the segment, or not to one place. */
const neverEgress: readonly Prefix[] = [
  ...['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'],
  ...['::1/128', 'fe80::/10', 'ff00::/8'],
].map(parsePrefix)

/** What set `own` holds. */
export function prefixElements(family: Family, prefixes: readonly Prefix[]): ReadonlyMap<string, undefined> {
  const own = disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family))
  return new Map(own.map((prefix) => [renderPrefix(prefix), undefined]))
}

/** What set `cluster` holds. */
export function clusterElements(family: Family, prefixes: readonly Prefix[]): ReadonlyMap<string, undefined> {
  return prefixElements(family, [...prefixes, ...neverEgress])
}

/** Sets that are always there. */
export function fixedSets(family: Family): readonly SetDeclaration[] {
  const { address } = words[family]
  const verdicts = (name: string, comment: string): SetDeclaration => ({
    name,
    key: [address],
    value: ['verdict'],
    comment,
  })
  return [
    { name: 'cluster', key: [address], flags: ['interval'], comment: 'destinations that see the pod itself' },
    { name: 'own', key: [address], flags: ['interval'], comment: 'every address that a pod of this node may have' },
    { name: 'known', key: [address], comment: 'pods of this node that are decided' },
    { name: 'addresses', key: [address], comment: 'every egress address, whoever holds it' },
    verdicts('dispatch', 'egress address to the chain that knows whose ports are whose'),
    verdicts('steer', 'pod of this node to the way that it leaves by'),
    verdicts('translate', 'pod of this node to the address and ports that it leaves under'),
    verdicts('guard', 'pod of this node to what may leave'),
    verdicts('limits', 'egress address to its bandwidth'),
  ]
}

/** Chains that are always there. */
export function fixedChains(family: Family): readonly Chain[] {
  const source = payload(words[family].source)
  const destination = payload(words[family].destination)
  const original: Expression = { kind: 'ct', key: words[family].source, direction: 'original' }
  const direction: Expression = { kind: 'ct', key: 'direction' }
  const toCluster: Rule = { statements: [is(destination, { set: 'cluster' }), accept] }
  const answers: Rule = { comment: 'answers to connections from outside', statements: [is(direction, 'reply'), accept] }
  const by = (key: Expression, map: string): Rule => ({ statements: [{ kind: 'vmap', key, map }] })
  return [
    {
      name: 'raw-prerouting',
      hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
      rules: [
        {
          comment: 'translated on the node of the pod; passes on its way out',
          statements: [is(source, { set: 'addresses' }), is(toLocal, 'local', '!='), { kind: 'notrack' }],
        },
        by(destination, 'dispatch'),
      ],
    },
    {
      name: 'filter-prerouting',
      // Behind the translation of Services, so that the true destination is seen, and before routing.
      hook: { type: 'filter', hook: 'prerouting', priority: -90, policy: 'accept' },
      rules: [
        {
          comment: 'no connection of this node: a reset would end one that is alive elsewhere',
          statements: [is(destination, { set: 'addresses' }), is(meta('mark'), hex(marks.inwards | marks.own)), drop],
        },
        answers,
        toCluster,
        {
          comment: 'nobody knows yet whether an Egress selects it',
          statements: [is(source, { set: 'own' }), is(source, { set: 'known' }, '!='), drop],
        },
        by(source, 'steer'),
      ],
    },
    {
      name: 'filter-input',
      hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
      rules: [
        { comment: 'also where the node has the address', statements: [is(destination, { set: 'addresses' }), drop] },
      ],
    },
    {
      name: 'nat-postrouting',
      hook: { type: 'nat', hook: 'postrouting', priority: 95, policy: 'accept' },
      rules: [{ statements: [matchOutwards, { kind: 'vmap', key: source, map: 'translate' }] }],
    },
    {
      name: 'filter-postrouting',
      hook: { type: 'filter', hook: 'postrouting', priority: 110, policy: 'accept' },
      rules: [by(source, 'limits'), answers, toCluster, by(source, 'guard'), by(original, 'guard')],
    },
  ]
}

const toLocal: Expression = { kind: 'fib', of: ['daddr'], result: 'type' }
const matchOutwards: Statement = {
  kind: 'match',
  left: { kind: 'bitwise', of: meta('mark'), mask: 0xffff0000, xor: 0 },
  operator: '==',
  right: hex(marks.outwards),
}

/** The map of one division of ports: port to the mark that leads to its node. */
export function nodesMap(perNode: number): SetDeclaration {
  return { name: `nodes-${perNode}`, key: ['inet_service'], value: ['mark'], flags: ['interval'] }
}

export function nodesElements(perNode: number, nodes: Iterable<EgressNode>, own: string): ReadonlyMap<string, string> {
  return new Map(
    shares(perNode, nodes, own).map(({ ports: { first, last }, mark }) => [`${first}-${last}`, mark] as const),
  )
}

/** Where answers to an address go whose ports are divided so: to the node that has the port, by what the packet says of it. */
export function dispatchChains(
  family: Family,
  perNode: number,
  nodes: Iterable<EgressNode>,
  own: string,
): readonly Chain[] {
  const { icmp, icmpType, icmpId, errors, inner } = words[family]
  const echoes = `icmp-${perNode}`
  const set = (mark: string): Statement => ({
    kind: 'set',
    target: 'meta mark',
    value: { kind: 'constant', text: mark },
  })
  const about = (protocol: Statement, field: Field, { first, last }: PortRange, mark: string): Rule => ({
    statements: [
      is(payload(icmpType), { of: [...errors] }),
      protocol,
      is(payload(field), `${hex(first)}-${hex(last)}`),
      set(mark),
    ],
  })
  return [
    {
      name: echoes,
      rules: shares(perNode, nodes, own).flatMap(({ name, ports, mark }): Rule[] => [
        {
          comment: name.slice(0, 63),
          statements: [
            is(payload(icmpType), 'echo-reply'),
            is(payload(icmpId), `${ports.first}-${ports.last}`),
            set(mark),
          ],
        },
        about(is(payload(inner.protocol), inner.icmp, '!='), inner.port, ports, mark),
        about(is(payload(inner.protocol), inner.icmp), inner.echo, ports, mark),
      ]),
    },
    {
      name: `ports-${perNode}`,
      rules: [
        {
          statements: [
            is(meta('l4proto'), { of: ['tcp', 'udp', 'sctp'] }),
            {
              kind: 'set',
              target: 'meta mark',
              value: { kind: 'lookup', key: payload('th dport'), map: `nodes-${perNode}` },
            },
          ],
        },
        { statements: [is(meta('l4proto'), icmp), { kind: 'verdict', verdict: { kind: 'jump', chain: echoes } }] },
        { comment: 'of pods of this node', statements: [is(meta('mark'), hex(marks.inwards | marks.own)), accept] },
        {
          statements: [
            {
              kind: 'match',
              left: { kind: 'bitwise', of: meta('mark'), mask: 0xffff0000, xor: 0 },
              operator: '==',
              right: hex(marks.inwards),
            },
            { kind: 'notrack' },
            accept,
          ],
        },
        { comment: 'ports that nobody has', statements: [drop] },
      ],
    },
  ]
}

function shares(
  perNode: number,
  nodes: Iterable<EgressNode>,
  own: string,
): { name: string; ports: PortRange; mark: string }[] {
  return [...nodes].flatMap(({ name, index }) => {
    const ports = index === undefined ? undefined : portsOfNode({ perNode, perPod: undefined }, index)
    if (ports === undefined || index === undefined) return []
    return [{ name, ports, mark: hex(marks.inwards | (name === own ? marks.own : index)) }]
  })
}

/** How packets in scope go on: to a node by its mark, or nowhere. */
export function steerRules(family: Family, scope: Scope, way: { readonly mark: number } | 'drop'): readonly Rule[] {
  const last: Statement =
    way === 'drop' ? drop : { kind: 'set', target: 'meta mark', value: { kind: 'constant', text: hex(way.mark) } }
  return [...scopeRules(family, scope), { statements: [last] }]
}

/** Packets in scope leave under the Egress' own addresses or not at all, whatever became of their mark. */
export function guardRules(family: Family, scope: Scope, addresses: readonly Address[]): readonly Rule[] {
  const own: Rule[] =
    addresses.length === 0 ? [] : [{ statements: [is(payload(words[family].source), { of: addresses }), accept] }]
  return [...scopeRules(family, scope), ...own, { statements: [{ kind: 'counter' }, drop] }]
}

function scopeRules(family: Family, { excluded, destinations }: Scope): Rule[] {
  const destination = payload(words[family].destination)
  const ofFamily = (prefixes: readonly Prefix[]) =>
    disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family)).map(renderPrefix)
  const not = ofFamily(excluded)
  const only = destinations === undefined ? undefined : ofFamily(destinations)
  const whole = family === 4 ? '0.0.0.0/0' : '::/0'
  return [
    ...(not.includes(whole) ? [{ statements: [accept] }] : []),
    ...(not.length === 0 || not.includes(whole) ? [] : [{ statements: [is(destination, { of: not }), accept] }]),
    ...(only === undefined || only.includes(whole)
      ? []
      : [{ statements: [is(destination, { of: only }, '!='), accept] }]),
  ]
}

/** Other protocols have no ports by which answers would find their node: what is not translated here is stopped by the guard. */
export function translateRules(family: Family, address: Address, { first, last }: PortRange): readonly Rule[] {
  const target = family === 4 ? address : `[${address}]`
  return [
    {
      statements: [
        is(meta('l4proto'), { of: ['tcp', 'udp', 'sctp', words[family].icmp] }),
        {
          kind: 'snat',
          family,
          to: { kind: 'constant', text: `${target}:${first}-${last}` },
          withPort: true,
          flags: ['fully-random'],
        },
      ],
    },
  ]
}

export function limitRules({ rate, burst }: Bandwidth): readonly Rule[] {
  return [
    { statements: [{ kind: 'limit', of: 'bytes', over: true, rate, per: 'second', burst }, { kind: 'counter' }, drop] },
  ]
}

/**
 * The end of a chain's name for an Egress and one of its addresses. Names of objects have neither `_` nor upper case (RFC 1123) and long ones end in a
 * digest, and addresses are told from names by the `_`; colons, which nft's words cannot have, become `-`, which addresses do not have.
 */
export function chainSuffix(key: string, address: Address | undefined): string {
  const name =
    key.length <= 48 ? key : `${key.slice(0, 32)}_${createHash('sha256').update(key).digest('hex').slice(0, 12)}`
  return `${name}_${address?.replaceAll(':', '-') ?? 'none'}`
}

function payload(field: Field): Expression {
  return { kind: 'payload', field }
}

function meta(key: 'mark' | 'l4proto'): Expression {
  return { kind: 'meta', key }
}

function is(
  left: Expression,
  right: Extract<Statement, { kind: 'match' }>['right'],
  operator: '==' | '!=' = '==',
): Statement {
  return { kind: 'match', left, operator, right }
}

const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }
const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }

/** As nft spells numbers of marks and raw fields. */
function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}
