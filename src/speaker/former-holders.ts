import { type Address, addressAt, type Family, families, familyOf, type Prefix } from '../addr/index.ts'
import { movedMark } from '../cluster/index.ts'
import type { Network } from '../host/index.ts'
import type { Expression, Operation, Rule, SetDeclaration, Statement, Transaction } from '../nft/index.ts'
import type { Member } from './heartbeats.ts'

/** How long connections of before a move are led to the former holder when nothing of them is known here, in seconds. */
const rememberSeconds = 3600
/** How often it is looked whether a former holder that fell silent can be reached, and how often in all: a neighbour entry in use is given up within a minute. */
const lookMs = 1000
const looks = 90
/** Route table of the former holder number 0, and the priority of the rules that lead there. */
const firstTable = 0x504d
export const rulePriority = 5100
/** Routes of the speaker (rtnetlink.h leaves numbers from 0x50 on to others; 0x50 is the agent's). */
export const routeProtocol = 0x52
export const movedTable = 'plumb-moved'

const words = {
  4: { family: 'ip', type: 'ipv4_addr', destination: 'ip daddr' },
  6: { family: 'ip6', type: 'ipv6_addr', destination: 'ip6 daddr' },
} as const

/**
 * Of connections that were made at the former holder this node may know nothing, so it passes their packets on to it, untranslated, and
 * the former holder goes on translating them. New connections are this node's own. TCP alone says which are which.
 */
export class FormerHolders {
  readonly #network: Network
  readonly #node: string
  readonly #numbers = new Map<string, number>()
  /** Whom this node leads to, by address. */
  readonly #leads = new Map<Address, string>()
  readonly #looking = new Map<Address, NodeJS.Timeout>()
  #members: readonly Member[] = []
  #begun = false

  constructor(network: Network, node: string) {
    this.#network = network
    this.#node = node
  }

  setMembers(members: readonly Member[]): void {
    this.#members = members
  }

  /** Leads what is not known here to a node. One that fell silent is led to while it can be reached: then its clients are better off with a reset. */
  async lead(address: Address, from: string, until: 'for good' | 'while it is reachable' = 'for good'): Promise<void> {
    const family = familyOf(address)
    const via = this.#members.find(({ name }) => name === from)?.addresses.find((one) => familyOf(one) === family)
    if (via === undefined || from === this.#node) return
    await this.#begin()
    const mark = `0x${(movedMark.base + this.#lead(from, family, via)).toString(16)}`
    const at = { family: words[family].family, table: movedTable }
    const { former, self } = setsOf(family)
    const there = (await this.#network.elements(at.family, movedTable, former)).some(({ key }) => key === address)
    // An element's value and time cannot be changed in place.
    if (there)
      await this.#network.commit([{ kind: 'delete-elements', ...at, set: former, elements: [{ key: address }] }])
    await this.#network.commit([
      {
        kind: 'add-elements',
        ...at,
        set: former,
        elements: [{ key: address, value: mark, timeoutSeconds: rememberSeconds }],
      },
      { kind: 'add-elements', ...at, set: self, elements: [{ key: address, value: address }] },
    ])
    this.#leads.set(address, from)
    if (until === 'while it is reachable') this.#look(via)
  }

  /** The node to which this one leads has the address again: what neither knows would go to and fro. */
  async hasOwner(address: Address, node: string | undefined): Promise<void> {
    if (node !== undefined && this.#leads.get(address) === node) await this.#end(address)
  }

  close(): void {
    for (const timer of this.#looking.values()) clearInterval(timer)
    this.#looking.clear()
  }

  async #end(address: Address): Promise<void> {
    this.#leads.delete(address)
    const family = familyOf(address)
    const at = { family: words[family].family, table: movedTable }
    const set = setsOf(family).former
    await this.#network.commit([{ kind: 'delete-elements', ...at, set, elements: [{ key: address }] }])
  }

  /** Ends the ways to a node once it does not answer as a neighbour. */
  #look(via: Address): void {
    if (this.#looking.has(via)) return
    let left = looks
    const timer = setInterval(() => {
      const isGone = this.#network.neighbours().some(({ address, state }) => address === via && state === 'failed')
      if (!isGone && --left > 0) return
      clearInterval(timer)
      this.#looking.delete(via)
      const node = this.#members.find(({ addresses }) => addresses.includes(via))?.name
      for (const [address, to] of this.#leads) if (isGone && to === node) this.#end(address).catch(() => undefined)
    }, lookMs).unref()
    this.#looking.set(via, timer)
  }

  /** Forgets what a former run of this node was leading where: numbers may mean other nodes now. */
  async #begin(): Promise<void> {
    if (this.#begun) return
    const present = await this.#network.tables()
    const stale = present.filter(({ name }) => name === movedTable)
    const transaction: Transaction = [
      ...stale.map(({ family }): Operation => ({ kind: 'delete-table', family, table: movedTable })),
      ...families.flatMap(createTable),
    ]
    await this.#network.commit(transaction)
    for (const rule of this.#network.rules()) if (rule.priority === rulePriority) this.#network.deleteRule(rule)
    for (const route of this.#network.routes({ protocol: routeProtocol })) this.#network.deleteRoute(route)
    this.#begun = true
  }

  /** Makes the way to a node; gives its number. */
  #lead(node: string, family: Family, gateway: Address): number {
    const number = this.#numbers.get(node) ?? this.#numbers.size
    this.#numbers.set(node, number)
    const table = firstTable + number
    const link = this.#network.lookupRoute(gateway)?.link
    if (link === undefined) throw new Error(`there is no way to ${node} at ${gateway}`)
    const destination: Prefix = `${addressAt(family, 0n)}/0` as Prefix
    this.#network.setRoute({ destination, gateway, link, table, protocol: routeProtocol, onlink: true })
    const isThere = this.#network
      .rules()
      .some((rule) => rule.family === family && rule.priority === rulePriority && rule.table === table)
    const mark = movedMark.base + number
    if (!isThere) this.#network.addRule({ family, priority: rulePriority, table, mark, markMask: 0xffff_ffff })
    return number
  }
}

function setsOf(family: Family): { readonly former: SetDeclaration; readonly self: SetDeclaration } {
  const key = [words[family].type]
  return {
    former: {
      name: 'former',
      key,
      value: ['mark'],
      flags: ['timeout'],
      comment: 'address : mark of the node that had it before',
    },
    self: { name: 'self', key, value: [words[family].type], comment: 'address : itself' },
  }
}

function createTable(family: Family): Operation[] {
  const at = { family: words[family].family, table: movedTable }
  const { former, self } = setsOf(family)
  const chain = (name: string, type: 'filter' | 'nat', priority: number): Operation => ({
    kind: 'add-chain',
    ...at,
    chain: { name, hook: { type, hook: 'prerouting', priority, policy: 'accept' } },
  })
  return [
    { kind: 'add-table', ...at, comment: 'connections of before a planned move of an external address' },
    { kind: 'add-set', ...at, set: former },
    { kind: 'add-set', ...at, set: self },
    // Behind conntrack (-200), which knows what is new here, and before the tables that translate (-100).
    chain('lead', 'filter', -150),
    chain('keep', 'nat', -101),
    ...leadRules(family).map((rule): Operation => ({ kind: 'add-rule', ...at, chain: 'lead', rule })),
    { kind: 'add-rule', ...at, chain: 'keep', rule: keepRule(family) },
  ]
}

const mark: Expression = { kind: 'meta', key: 'mark' }
const connectionMark: Expression = { kind: 'ct', key: 'mark' }

function isLed(of: Expression): Statement {
  const left: Expression = { kind: 'bitwise', of, mask: movedMark.mask, xor: 0 }
  return { kind: 'match', left, operator: '==', right: `0x${movedMark.base.toString(16)}` }
}

function leadRules(family: Family): Rule[] {
  const destination: Expression = { kind: 'payload', field: words[family].destination }
  const state = (right: string | { of: readonly string[] }): Statement => {
    return { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right }
  }
  // What begins in the middle is new to conntrack, or invalid where it may not pick connections up (nf_conntrack_tcp_loose=0).
  const isUnknown = state({ of: ['new', 'invalid'] })
  const isTcp: Statement = { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: 'tcp' }
  const begins: Statement = {
    kind: 'match',
    left: { kind: 'payload', field: 'tcp flags' },
    operator: '==',
    right: 'syn',
  }
  return [
    {
      comment: 'led before',
      statements: [isLed(connectionMark), { kind: 'set', target: 'meta mark', value: connectionMark }],
    },
    { statements: [isUnknown, isTcp, begins, { kind: 'verdict', verdict: { kind: 'return' } }] },
    {
      comment: 'made at the former holder',
      statements: [
        isUnknown,
        isTcp,
        { kind: 'set', target: 'meta mark', value: { kind: 'lookup', key: destination, map: 'former' } },
      ],
    },
    { statements: [state('new'), isLed(mark), { kind: 'set', target: 'ct mark', value: mark }] },
  ]
}

/** A translation into itself is one, so that no later chain makes another. */
function keepRule(family: Family): Rule {
  const key: Expression = { kind: 'payload', field: words[family].destination }
  return {
    statements: [isLed(mark), { kind: 'dnat', family, to: { kind: 'lookup', key, map: 'self' }, withPort: false }],
  }
}
