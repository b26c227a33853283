import {
  type Address,
  disjoint,
  type Family,
  families,
  familyOf,
  type Prefix,
  prefixFamily,
  renderPrefix,
} from '../addr/index.ts'
import { movedMark } from '../cluster/index.ts'
import type { Network } from '../host/index.ts'
import type { Element, Expression, Operation, Rule, SetDeclaration, Statement } from '../nft/index.ts'

export const standbyTable = 'plumb-standby'

const words = {
  4: { family: 'ip', type: 'ipv4_addr', source: 'ip saddr', destination: 'ip daddr' },
  6: { family: 'ip6', type: 'ipv6_addr', source: 'ip6 saddr', destination: 'ip6 daddr' },
} as const

/** An external address' port whose connections any node may carry on. */
export interface Frontend {
  readonly address: Address
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

/** What the tables are to hold. */
export interface StandbyRules {
  /** Addresses whose connections this node does not know. */
  readonly guarded: Iterable<Address>
  /** Those of them of which this node has copies, to be carried on when it takes them. */
  readonly copied: Iterable<Address>
  /** Ports of addresses that this node holds: endpoints elsewhere see the address itself as the client. */
  readonly sources: Iterable<Frontend>
  /** Pods of all nodes, and those whose answers find no other node than this one. */
  readonly podPrefixes: readonly Prefix[]
  readonly boundPrefixes: readonly Prefix[]
}

type SetName = keyof ReturnType<typeof setsOf>

/** Keeps the tables `plumb-standby` as they are to be, one change after another; after a refusal they are made anew with the next. */
export class StandbyTables {
  readonly #network: Network
  #known: ReadonlyMap<string, Element> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(network: Network) {
    this.#network = network
  }

  /** Resolves when the kernel has them. */
  set(rules: StandbyRules): Promise<void> {
    const done = this.#last.then(() => this.#apply(contentsOf(rules)))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #apply(wanted: ReadonlyMap<string, Element>): Promise<void> {
    const known = this.#known
    const made = known === undefined ? families.flatMap(createTable) : []
    const gone = [...(known ?? [])].filter(([id]) => !wanted.has(id))
    const added = [...wanted].filter(([id]) => known?.has(id) !== true)
    const change = (kind: 'add-elements' | 'delete-elements', [id, element]: [string, Element]): Operation => {
      const [family, name] = placeOf(id)
      return { kind, family: words[family].family, table: standbyTable, set: setsOf(family)[name], elements: [element] }
    }
    this.#known = undefined
    await this.#network.commit([
      ...made,
      ...gone.map((one) => change('delete-elements', one)),
      ...added.map((one) => change('add-elements', one)),
    ])
    this.#known = wanted
  }
}

/** Elements by family, set and key. */
function contentsOf({
  guarded,
  copied,
  sources,
  podPrefixes,
  boundPrefixes,
}: StandbyRules): ReadonlyMap<string, Element> {
  const contents = new Map<string, Element>()
  const put = (family: Family, name: SetName, element: Element): void =>
    void contents.set(`${family} ${name} ${element.key}`, element)
  for (const address of guarded) put(familyOf(address), 'guarded', { key: address })
  for (const address of copied) put(familyOf(address), 'copied', { key: address })
  for (const { address, protocol, port } of sources)
    put(familyOf(address), 'sources', { key: `${address} . ${protocol} . ${port}`, value: address })
  for (const family of families) {
    const keys = (prefixes: readonly Prefix[]): string[] =>
      disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family)).map(renderPrefix)
    for (const key of keys(podPrefixes)) put(family, 'pods', { key })
    for (const key of keys(boundPrefixes)) put(family, 'boundPods', { key })
  }
  return contents
}

function placeOf(id: string): [Family, SetName] {
  const [family, name] = id.split(' ')
  return [family === '4' ? 4 : 6, name as SetName]
}

function setsOf(family: Family) {
  const { type } = words[family]
  return {
    guarded: { name: 'guarded', key: [type], comment: 'addresses whose connections are not known here' },
    copied: { name: 'copied', key: [type], comment: 'addresses whose flows this node knows and does not carry yet' },
    sources: {
      name: 'sources',
      key: [type, 'inet_proto', 'inet_service'],
      value: [type],
      comment: 'external ports : what their endpoints see as the client',
    },
    pods: { name: 'pods', key: [type], flags: ['interval'] },
    boundPods: {
      name: 'bound-pods',
      key: [type],
      flags: ['interval'],
      comment: 'endpoints whose answers find no other node',
    },
  } satisfies Record<string, SetDeclaration>
}

function createTable(family: Family): Operation[] {
  const at = { family: words[family].family, table: standbyTable }
  const chain = (
    name: string,
    type: 'filter' | 'nat',
    hook: 'prerouting' | 'postrouting',
    priority: number,
  ): Operation => ({
    kind: 'add-chain',
    ...at,
    chain: { name, hook: { type, hook, priority, policy: 'accept' } },
  })
  return [
    // What a former run left goes in the transaction that replaces it.
    { kind: 'add-table', ...at },
    { kind: 'delete-table', ...at },
    { kind: 'add-table', ...at, comment: 'connections of external addresses survive their holder' },
    ...Object.values(setsOf(family)).map((set): Operation => ({ kind: 'add-set', ...at, set })),
    // Behind conntrack (-200) and those who lead to a former holder (-150), before the tables that translate (-100).
    chain('guard', 'filter', 'prerouting', -140),
    // Before Services masquerade (100).
    chain('sources', 'nat', 'postrouting', 99),
    ...guardRules(family).map((rule): Operation => ({ kind: 'add-rule', ...at, chain: 'guard', rule })),
    { kind: 'add-rule', ...at, chain: 'sources', rule: sourceRule(family) },
  ]
}

const goBack: Statement = { kind: 'verdict', verdict: { kind: 'return' } }

/**
 * Silence instead of another endpoint's reset, until the connection is known here and its client repeats the segment. Of datagrams nothing says
 * which are in the middle of a flow, so that all from outside wait while there are flows to be carried on; pods are at home on every node.
 */
function guardRules(family: Family): Rule[] {
  const destination: Expression = { kind: 'payload', field: words[family].destination }
  const match = (left: Expression, right: string | { of: readonly string[] } | { set: string }): Statement => {
    return { kind: 'match', left, operator: '==', right }
  }
  const marked: Expression = { kind: 'bitwise', of: { kind: 'meta', key: 'mark' }, mask: movedMark.mask, xor: 0 }
  return [
    { statements: [{ kind: 'match', left: destination, operator: '!=', right: { set: 'guarded' } }, goBack] },
    {
      statements: [
        match({ kind: 'meta', key: 'l4proto' }, 'tcp'),
        match({ kind: 'payload', field: 'tcp flags' }, 'syn'),
        goBack,
      ],
    },
    {
      comment: 'on its way to a former holder',
      statements: [match(marked, `0x${movedMark.base.toString(16)}`), goBack],
    },
    {
      comment: 'a connection that is not known here, or not yet',
      statements: [
        match({ kind: 'meta', key: 'l4proto' }, 'tcp'),
        match({ kind: 'ct', key: 'state' }, { of: ['new', 'invalid'] }),
        { kind: 'verdict', verdict: { kind: 'drop' } },
      ],
    },
    {
      comment: 'a flow that is not known here yet, for all that can be told',
      statements: [
        match({ kind: 'meta', key: 'l4proto' }, 'udp'),
        match({ kind: 'ct', key: 'state' }, 'new'),
        match(destination, { set: 'copied' }),
        {
          kind: 'match',
          left: { kind: 'payload', field: words[family].source },
          operator: '!=',
          right: { set: 'pods' },
        },
        { kind: 'verdict', verdict: { kind: 'drop' } },
      ],
    },
  ]
}

/** Answers of endpoints on other nodes go to the address, hence to whoever holds it; those of this node's pods find the node by themselves. */
function sourceRule(family: Family): Rule {
  const { source, destination } = words[family]
  const isNot = (field: typeof source | typeof destination, set: string): Statement => {
    return { kind: 'match', left: { kind: 'payload', field }, operator: '!=', right: { set } }
  }
  const asked: readonly Expression[] = [
    { kind: 'ct', key: family === 4 ? 'ip daddr' : 'ip6 daddr', direction: 'original' },
    { kind: 'meta', key: 'l4proto' },
    { kind: 'ct', key: 'proto-dst', direction: 'original' },
  ]
  return {
    statements: [
      { kind: 'match', left: { kind: 'ct', key: 'status' }, operator: '==', right: 'dnat' },
      { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: { of: ['tcp', 'udp'] } },
      isNot(source, 'pods'),
      isNot(destination, 'bound-pods'),
      { kind: 'match', left: { kind: 'fib', of: ['saddr'], result: 'type' }, operator: '!=', right: 'local' },
      {
        kind: 'snat',
        family,
        to: { kind: 'lookup', key: { kind: 'concat', of: asked }, map: 'sources' },
        withPort: false,
        flags: ['fully-random'],
      },
    ],
  }
}
