import type { Family } from '../addr/index.ts'
import { movedMark } from '../cluster/index.ts'
import type { Chain, Operation, Rule, SetDeclaration, Statement, TableFamily } from './language.ts'
import type { Direction } from './model.ts'

/** The name of the table, one per family. */
export const tableName = 'plumb-policies'

/** The words of one family. */
export interface Words {
  readonly table: TableFamily
  readonly address: 'ipv4_addr' | 'ipv6_addr'
  readonly source: 'ip saddr' | 'ip6 saddr'
  readonly destination: 'ip daddr' | 'ip6 daddr'
}

/** How nft names a family's addresses. */
export const words: Readonly<Record<Family, Words>> = {
  4: { table: 'ip', address: 'ipv4_addr', source: 'ip saddr', destination: 'ip daddr' },
  6: { table: 'ip6', address: 'ipv6_addr', source: 'ip6 saddr', destination: 'ip6 daddr' },
}

/** Where a table is, for operations. */
export function tableOf(family: Family): { readonly family: TableFamily; readonly table: string } {
  return { family: words[family].table, table: tableName }
}

/** Where packets of a pod are judged: from it, to it, and from it to the node that it is on. */
export type Gate = Direction | 'input'

/** The sets and maps that every table has. */
export interface FixedSets {
  readonly egress: SetDeclaration
  readonly ingress: SetDeclaration
  readonly input: SetDeclaration
  readonly selves: SetDeclaration
  readonly ownPrefixes: SetDeclaration
  readonly resolvers: SetDeclaration
  readonly askers: SetDeclaration
}

function declare({ address }: Words): FixedSets {
  return {
    egress: { name: 'egress', key: [address], value: ['verdict'], comment: 'what pods of this node may ask' },
    ingress: { name: 'ingress', key: [address], value: ['verdict'], comment: 'who may ask pods of this node' },
    input: { name: 'input', key: [address], value: ['verdict'], comment: 'what pods of this node may ask the node' },
    selves: { name: 'selves', key: [address, address], comment: 'a pod that asks itself through a Service' },
    ownPrefixes: {
      name: 'own-prefixes',
      key: [address],
      flags: ['interval'],
      comment: 'addresses of this node’s pods, known or not',
    },
    resolvers: {
      name: 'resolvers',
      key: [address, 'inet_proto', 'inet_service'],
      comment: 'where the cluster’s DNS answers from',
    },
    askers: { name: 'askers', key: [address], comment: 'pods of this node with rules for domain names' },
  }
}

/** The sets and maps by family. */
export const fixedSets: Readonly<Record<Family, FixedSets>> = { 4: declare(words[4]), 6: declare(words[6]) }

/** The chain that judges ingress, to which egress goes when it allows. */
export const toIngress = 'to-pods'

/** The NFLOG group to which rules send packets that a policy denies, or would deny if it were not audited. */
export const deniedLogGroup = 80

/** The NFLOG group to which answers of the cluster's DNS go that pods with rules for domain names get. */
export const answersLogGroup = 81

/** The prefixes under which they do: what happened to which direction of the pod. */
export const logPrefixes = {
  egress: { enforce: 'plumb denied egress', audit: 'plumb audit egress' },
  ingress: { enforce: 'plumb denied ingress', audit: 'plumb audit ingress' },
} as const satisfies Record<Direction, Record<'enforce' | 'audit', string>>

/** Tells of at most 10 packets a second for each chain and goes on. */
export function tell(direction: Direction, mode: 'enforce' | 'audit'): readonly Statement[] {
  return [
    { kind: 'limit', rate: 10, per: 'second', burst: 20 },
    { kind: 'log', prefix: logPrefixes[direction][mode], group: deniedLogGroup },
  ]
}

/** The chains that cluster-wide rules go to: one tells and drops, the other tells and returns to whoever jumped. */
export const deniedChain = { egress: 'denied-egress', ingress: 'denied-ingress' } as const
export const auditedChain = { egress: 'audited-egress', ingress: 'audited-ingress' } as const

function tellingChains(direction: Direction): readonly Chain[] {
  const drop: Rule = { statements: [{ kind: 'verdict', verdict: { kind: 'drop' } }] }
  return [
    { name: deniedChain[direction], rules: [{ statements: tell(direction, 'enforce') }, drop] },
    { name: auditedChain[direction], rules: [{ statements: tell(direction, 'audit') }] },
  ]
}

/** The verdict in `egress` or `ingress` for a pod that may do everything there. */
export const openVerdict: Readonly<Record<Direction, string>> = { egress: `goto ${toIngress}`, ingress: 'accept' }

/**
 * A table without pods. Verdicts are reached by `goto`, and the policy is drop: a packet that meets a chain which its generation
 * does not have yet is dropped, not let through.
 */
export function createTable(family: Family): readonly Operation[] {
  const at = tableOf(family)
  const { egress, ingress, input: node, selves, ownPrefixes } = fixedSets[family]
  const source: Statement & { kind: 'match' } = matchSet(words[family].source, ownPrefixes.name)
  const destination = matchSet(words[family].destination, ownPrefixes.name)
  const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }
  const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }
  const state = (right: string | { of: readonly string[] }): Statement => {
    return { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right }
  }
  const moved: Statement = {
    kind: 'match',
    left: { kind: 'bitwise', of: { kind: 'meta', key: 'mark' }, mask: movedMark.mask, xor: 0 },
    operator: '==',
    right: `0x${movedMark.base.toString(16)}`,
  }
  const discovery: Rule[] = [
    {
      comment: 'neighbour discovery',
      statements: [
        { kind: 'match', left: { kind: 'payload', field: 'icmpv6 type' }, operator: '==', right: { of: neighbours } },
        accept,
      ],
    },
  ]
  const pair: Statement = {
    kind: 'match',
    left: {
      kind: 'concat',
      of: [
        { kind: 'payload', field: words[family].source },
        { kind: 'payload', field: words[family].destination },
      ],
    },
    operator: '==',
    right: { set: selves.name },
  }
  const forward: Chain = {
    name: 'forward',
    // After the Services' own refusals at 0, so that a port that nobody serves is refused and not silent.
    hook: { type: 'filter', hook: 'forward', priority: 10, policy: 'drop' },
    rules: [
      { statements: [state('established,related'), accept] },
      {
        comment: 'a connection of before a move, on its way to the node that knows it',
        statements: [moved, { ...source, operator: '!=' }, accept],
      },
      { statements: [state('invalid'), drop] },
      ...(family === 6 ? discovery : []),
      { statements: [pair, accept] },
      {
        statements: [{ kind: 'vmap', key: { kind: 'payload', field: words[family].source }, map: egress.name }],
      },
      { comment: 'a pod whose policies are not here yet', statements: [source, drop] },
      { statements: [goto(toIngress)] },
    ],
  }
  const pods: Chain = {
    name: toIngress,
    rules: [
      {
        statements: [{ kind: 'vmap', key: { kind: 'payload', field: words[family].destination }, map: ingress.name }],
      },
      { comment: 'a pod whose policies are not here yet', statements: [destination, drop] },
      { statements: [accept] },
    ],
  }
  const input: Chain = {
    name: 'to-node',
    // After Services have chosen: what ends here is for the node itself, or for a pod of its network.
    hook: { type: 'filter', hook: 'input', priority: 10, policy: 'accept' },
    rules: [
      { statements: [state('established,related'), accept] },
      ...(family === 6 ? discovery : []),
      {
        statements: [{ kind: 'vmap', key: { kind: 'payload', field: words[family].source }, map: node.name }],
      },
    ],
  }
  const chains = [...tellingChains('egress'), ...tellingChains('ingress'), pods, forward, input, answersChain(family)]
  return [
    { kind: 'add-table', ...at },
    ...Object.values(fixedSets[family]).map((set): Operation => ({ kind: 'add-set', ...at, set })),
    ...chains.map(({ rules: _, ...chain }): Operation => ({ kind: 'add-chain', ...at, chain })),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
    ),
  ]
}

/** After `forward`: what is told here has passed. An answer is of a connection that its receiver began, so nobody can send one unasked. */
function answersChain(family: Family): Chain {
  const { resolvers, askers } = fixedSets[family]
  const statements: Statement[] = [
    matchSet(words[family].destination, askers.name),
    { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right: 'established' },
    { kind: 'match', left: { kind: 'ct', key: 'direction' }, operator: '==', right: 'reply' },
    {
      kind: 'match',
      left: {
        kind: 'concat',
        of: [
          { kind: 'payload', field: words[family].source },
          { kind: 'meta', key: 'l4proto' },
          { kind: 'payload', field: 'th sport' },
        ],
      },
      operator: '==',
      right: { set: resolvers.name },
    },
    { kind: 'log', prefix: 'plumb dns', group: answersLogGroup },
  ]
  return {
    name: 'answers',
    hook: { type: 'filter', hook: 'forward', priority: 11, policy: 'accept' },
    rules: [{ statements }],
  }
}

/** RFC 4861: types 133 to 137. */
const neighbours = ['nd-router-solicit', 'nd-router-advert', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-redirect']

/** Matches an address against a set, by name. */
export function matchSet(field: Words['source'] | Words['destination'], set: string): Statement & { kind: 'match' } {
  return { kind: 'match', left: { kind: 'payload', field }, operator: '==', right: { set } }
}

/** A verdict that does not come back. */
export function goto(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'goto', chain } }
}
