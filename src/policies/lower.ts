import { createHash } from 'node:crypto'
import type { Family } from '../addr/index.ts'
import type { Chain, Operation, Rule, SetDeclaration, Statement, TableFamily } from '../nft/index.ts'
import { renderRange, wholeOf } from './address-ranges.ts'
import type { Closed, Entry, EntryPorts } from './content.ts'
import { goto, matchSet, tell, toIngress, type Words, words } from './layout.ts'
import type { AddressRange, Direction, PodsPeer, Transport } from './model.ts'
import { sayPeer } from './selector-id.ts'

export type { Chain, Operation, Rule, SetDeclaration, Statement, TableFamily }

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
export function chainName(direction: Direction, content: Closed): string {
  const text = JSON.stringify(content.entries.map(entryText))
  return `${direction}-${hash(`${content.mode} ${text} ${content.policies.join(' ')}`)}`
}

function entryText({ ports, anybody, pods, blocks, policies }: Entry): unknown {
  const ranges = ([4, 6] as const).map((family) => blocks[family].map((range) => renderRange(family, range)))
  return [ports, anybody, pods.map(({ id }) => id), ranges, policies]
}

/** What a pod may do in one direction, in nft's words of one family: whatever no rule lets on is told, and dropped unless it is only audited. */
export function lowerContent(family: Family, direction: Direction, content: Closed): LoweredChain {
  const needs = new Map<string, SetNeed>()
  const rules = content.entries.flatMap((entry) => lowerEntry(family, direction, entry, needs))
  const { mode, policies } = content
  const rest: Rule = {
    comment: comment(`${mode === 'audit' ? 'audited' : 'isolated'} by ${policies.join(' ')}`),
    statements: [mode === 'audit' ? onward(direction) : { kind: 'verdict', verdict: { kind: 'drop' } }],
  }
  return { rules: [...rules, { statements: tell(direction, mode) }, rest], needs: [...needs.values()] }
}

/** What follows when a pod's own policies let a packet pass. */
function onward(direction: Direction): Statement {
  return direction === 'egress' ? goto(toIngress) : { kind: 'verdict', verdict: { kind: 'accept' } }
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
  const on = onward(direction)
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

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** NFTNL_UDATA_COMMENT_MAXLEN of nft, in bytes; labels and names are ASCII. */
function comment(text: string): string {
  return text.replaceAll('"', "'").slice(0, 120)
}
