import { createHash } from 'node:crypto'
import type { Family } from '../addr/index.ts'
import { renderRange, wholeOf } from './address-ranges.ts'
import type { Entry, EntryPorts } from './content.ts'
import type { Rule, SetDeclaration, Statement } from './language.ts'
import { matchSet, type Words, words } from './layout.ts'
import type { AddressRange, Direction, NodesPeer, PodsPeer, Transport } from './model.ts'
import { sayPeer } from './selector-id.ts'

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
  | { readonly kind: 'nodes'; readonly name: string; readonly peer: NodesPeer; readonly declaration: SetDeclaration }
  | { readonly kind: 'names'; readonly name: string; readonly domain: string; readonly declaration: SetDeclaration }
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

/** The peer that is every pod: a name on egress without peers is looked up on all of them. */
const everyPod: PodsPeer = {
  kind: 'pods',
  namespaces: { kind: 'selected', selector: {} },
  pods: {},
  id: '{}/',
  because: { object: '', field: '', value: '' },
}

/** The rules by which packets of an entry go `on`; notes the sets that they need. */
export function lowerEntry(
  family: Family,
  direction: Direction,
  entry: Entry,
  on: Statement,
  needs: Map<string, SetNeed>,
): Rule[] {
  const { ports, anybody, pods, blocks, nodes, names } = entry
  const peer = direction === 'egress' ? words[family].destination : words[family].source
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
    ...nodes.map((one) => rule(...port, matchSet(peer, need(nodesNeed(family, one))))),
    ...(block === undefined ? [] : [rule(...port, ...block)]),
    ...names.map((one) => rule(...port, matchSet(peer, need(namesNeed(family, one))))),
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

function nodesNeed(family: Family, peer: NodesPeer): SetNeed {
  const name = `nodes-${hash(peer.id)}`
  const declaration = { name, key: [words[family].address], comment: comment(`nodes ${peer.id || 'all'}`) } as const
  return { kind: 'nodes', name, peer, declaration }
}

/** Elements come with the time until which they count: the kernel keeps it, also while no agent runs. */
function namesNeed(family: Family, domain: string): SetNeed {
  const name = `names-${hash(domain)}`
  const key = [words[family].address] as const
  const declaration: SetDeclaration = { name, key, flags: ['timeout'], comment: comment(domain) }
  return { kind: 'names', name, domain, declaration }
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

/** 16 hexadecimal digits that stand for a text. */
export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** A text as a comment: NFTNL_UDATA_COMMENT_MAXLEN of nft, in bytes; labels and names are ASCII. */
export function comment(text: string): string {
  return text.replaceAll('"', "'").slice(0, 120)
}
