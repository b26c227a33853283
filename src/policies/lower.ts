import { createHash } from 'node:crypto'
import type { Family } from '../addr/index.ts'
import type { Chain, Operation, Rule, SetDeclaration, Statement, TableFamily } from '../nft/index.ts'
import { renderRange, wholeOf } from './address-ranges.ts'
import type { Content, Entry, EntryPorts } from './content.ts'
import type { AddressRange, Direction, PodsPeer, Transport } from './model.ts'
import { sayPeer } from './selector-id.ts'

export type { Operation, SetDeclaration }

/** The name of the table, one per family. */
export const tableName = 'plumb-policies'

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

/** Where a table is, for operations. */
export function tableOf(family: Family): { readonly family: TableFamily; readonly table: string } {
  return { family: words[family].table, table: tableName }
}

/** The sets and maps that every table has. */
export interface FixedSets {
  readonly egress: SetDeclaration
  readonly ingress: SetDeclaration
  readonly selves: SetDeclaration
  readonly ownPrefixes: SetDeclaration
}

function declare({ address }: Words): FixedSets {
  return {
    egress: { name: 'egress', key: [address], value: ['verdict'], comment: 'what pods of this node may ask' },
    ingress: { name: 'ingress', key: [address], value: ['verdict'], comment: 'who may ask pods of this node' },
    selves: { name: 'selves', key: [address, address], comment: 'a pod that asks itself through a Service' },
    ownPrefixes: {
      name: 'own-prefixes',
      key: [address],
      flags: ['interval'],
      comment: 'addresses of this node’s pods, known or not',
    },
  }
}

/** The sets and maps by family. */
export const fixedSets: Readonly<Record<Family, FixedSets>> = { 4: declare(words[4]), 6: declare(words[6]) }

const toIngress = 'to-pods'

/** The verdict in `egress` or `ingress` for a pod that may do everything there. */
export const openVerdict: Readonly<Record<Direction, string>> = { egress: `goto ${toIngress}`, ingress: 'accept' }

/**
 * A table without pods. Verdicts are reached by `goto`, and the policy is drop: a packet that meets a chain which its generation
 * does not have yet is dropped, not let through.
 */
export function createTable(family: Family): readonly Operation[] {
  const at = tableOf(family)
  const { egress, ingress, selves, ownPrefixes } = fixedSets[family]
  const source: Statement & { kind: 'match' } = matchSet(words[family].source, ownPrefixes.name)
  const destination = matchSet(words[family].destination, ownPrefixes.name)
  const drop: Statement = { kind: 'verdict', verdict: { kind: 'drop' } }
  const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } }
  const state = (right: string | { of: readonly string[] }): Statement => {
    return { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right }
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
  const chains = [pods, forward]
  return [
    { kind: 'add-table', ...at },
    ...Object.values(fixedSets[family]).map((set): Operation => ({ kind: 'add-set', ...at, set })),
    ...chains.map(({ rules: _, ...chain }): Operation => ({ kind: 'add-chain', ...at, chain })),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
    ),
  ]
}

/** RFC 4861: types 133 to 137. */
const neighbours = ['nd-router-solicit', 'nd-router-advert', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-redirect']

/** A set that rules need, and what fills it. */
export type SetNeed =
  | { readonly kind: 'pods'; readonly name: string; readonly peer: PodsPeer; readonly declaration: SetDeclaration }
  | {
      readonly kind: 'named'
      readonly name: string
      readonly peer: PodsPeer
      readonly protocol: Transport
      readonly port: string
      readonly declaration: SetDeclaration
    }
  | {
      readonly kind: 'block'
      readonly name: string
      readonly ranges: readonly string[]
      readonly declaration: SetDeclaration
    }

/** One chain in one family. */
export interface LoweredChain {
  readonly rules: readonly Rule[]
  readonly needs: readonly SetNeed[]
}

/** The chain of a content: named by what it says, so that pods with the same policies share it and it never changes. */
export function chainName(direction: Direction, content: Extract<Content, { kind: 'closed' }>): string {
  const text = JSON.stringify(content.entries.map(entryText))
  return `${direction}-${hash(`${text} ${content.policies.join(' ')}`)}`
}

function entryText({ ports, anybody, pods, blocks, policies }: Entry): unknown {
  const ranges = ([4, 6] as const).map((family) => blocks[family].map((range) => renderRange(family, range)))
  return [ports, anybody, pods.map(({ id }) => id), ranges, policies]
}

/** What a pod may do in one direction, in nft's words of one family: whatever no rule lets on is dropped at the end. */
export function lowerContent(
  family: Family,
  direction: Direction,
  content: Extract<Content, { kind: 'closed' }>,
): LoweredChain {
  const needs = new Map<string, SetNeed>()
  const rules = content.entries.flatMap((entry) => lowerEntry(family, direction, entry, needs))
  const drop: Rule = {
    comment: comment(`isolated by ${content.policies.join(' ')}`),
    statements: [{ kind: 'verdict', verdict: { kind: 'drop' } }],
  }
  return { rules: [...rules, drop], needs: [...needs.values()] }
}

/** The peer that is every pod: a name on egress without peers is looked up on all of them. */
const everyPod: PodsPeer = {
  kind: 'pods',
  namespaces: { kind: 'selected', selector: {} },
  pods: {},
  id: '{}/',
  because: { object: '', field: '', value: '' },
}

function lowerEntry(family: Family, direction: Direction, entry: Entry, needs: Map<string, SetNeed>): Rule[] {
  const { ports, anybody, pods, blocks } = entry
  const peer = direction === 'egress' ? words[family].destination : words[family].source
  const on: Statement = direction === 'egress' ? goto(toIngress) : { kind: 'verdict', verdict: { kind: 'accept' } }
  const need = (one: SetNeed): string => {
    needs.set(one.name, one)
    return one.name
  }
  const rule = (...statements: Statement[]): Rule => ({
    comment: comment(entry.policies.join(' ')),
    statements: [...statements, on],
  })
  const block = blockStatements(family, peer, blocks[family], need)
  if (ports.kind === 'named') {
    const called = (of: PodsPeer): Statement => ({
      kind: 'match',
      left: {
        kind: 'concat',
        of: [
          { kind: 'payload', field: peer },
          { kind: 'meta', key: 'l4proto' },
          { kind: 'payload', field: 'th dport' },
        ],
      },
      operator: '==',
      right: { set: need(namedNeed(family, of, ports)) },
    })
    if (anybody) return [rule(called(everyPod))]
    return [...pods.map((one) => rule(called(one))), ...(block === undefined ? [] : [rule(...block, called(everyPod))])]
  }
  const port = portStatements(ports)
  if (anybody) return [rule(...port)]
  return [
    ...pods.map((one) => rule(...port, matchSet(peer, need(podsNeed(family, one))))),
    ...(block === undefined ? [] : [rule(...port, ...block)]),
  ]
}

function portStatements(ports: Exclude<EntryPorts, { kind: 'named' }>): Statement[] {
  if (ports.kind === 'any') return []
  const { protocol, ranges } = ports
  const l4: Statement = { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: protocol }
  const [only] = ranges
  if (only !== undefined && ranges.length === 1 && only.first === 0 && only.last === 65535) return [l4]
  const texts = ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
  const [text] = texts
  const right = text !== undefined && texts.length === 1 ? text : { of: texts }
  return [l4, { kind: 'match', left: { kind: 'payload', field: 'th dport' }, operator: '==', right }]
}

/** Undefined when no address of the family is meant, empty when all are. */
function blockStatements(
  family: Family,
  field: Words['source'] | Words['destination'],
  ranges: readonly AddressRange[],
  need: (one: SetNeed) => string,
): Statement[] | undefined {
  const [only] = ranges
  if (only === undefined) return undefined
  const whole = wholeOf(family)
  if (only.low === whole.low && only.high === whole.high) return []
  const texts = ranges.map((range) => renderRange(family, range))
  if (texts.length === 1 && texts[0] !== undefined) {
    return [{ kind: 'match', left: { kind: 'payload', field }, operator: '==', right: texts[0] }]
  }
  // Named by its content: an interval set that changes under traffic may miss an address that it holds.
  const name = `block-${hash(texts.join())}`
  const declaration: SetDeclaration = { name, key: [words[family].address], flags: ['interval'] }
  return [matchSet(field, need({ kind: 'block', name, ranges: texts, declaration }))]
}

function podsNeed(family: Family, peer: PodsPeer): SetNeed {
  const name = `pods-${hash(peer.id)}`
  const declaration = { name, key: [words[family].address], comment: comment(sayPeer(peer)) } as const
  return { kind: 'pods', name, peer, declaration }
}

function namedNeed(
  family: Family,
  peer: PodsPeer,
  { protocol, name: port }: Extract<EntryPorts, { kind: 'named' }>,
): SetNeed {
  const name = `ports-${hash(`${peer.id} ${protocol} ${port}`)}`
  const declaration: SetDeclaration = {
    name,
    key: [words[family].address, 'inet_proto', 'inet_service'],
    comment: comment(`${protocol} "${port}" of ${sayPeer(peer)}`),
  }
  return { kind: 'named', name, peer, protocol, port, declaration }
}

function matchSet(field: Words['source'] | Words['destination'], set: string): Statement & { kind: 'match' } {
  return { kind: 'match', left: { kind: 'payload', field }, operator: '==', right: { set } }
}

function goto(chain: string): Statement {
  return { kind: 'verdict', verdict: { kind: 'goto', chain } }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** NFTNL_UDATA_COMMENT_MAXLEN of nft, in bytes; labels and names are ASCII. */
function comment(text: string): string {
  return text.replaceAll('"', "'").slice(0, 120)
}
