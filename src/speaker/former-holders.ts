import { setTimeout as pause } from 'node:timers/promises'
import { type Address, addressAt, type Family, families, familyOf, type Prefix } from '../addr/index.ts'
import { movedMark } from '../cluster/index.ts'
import { HostError, type Network } from '../host/index.ts'
import type { Operation, Transaction } from '../nft/index.ts'
import { connectionOf, type Flow, place } from '../standby/index.ts'
import type { Member } from './heartbeats.ts'
import { createTable, movedTable, setsOf, words } from './moved-table.ts'

/** How long connections of before a move are led to the former holder when nothing of them is known here, in seconds. */
const rememberSeconds = 3600
/** How long the kernel of one that fell silent has to answer, in milliseconds. */
const answerMs = 30
/** How often it is looked whether a former holder that fell silent can be reached, and how often in all: a neighbour entry in use is given up within a minute. */
const lookMs = 1000
const looks = 90
/** Route table of the former holder number 0, and the priority of the rules that lead there. */
const firstTable = 0x504d
export const rulePriority = 5100
/** Routes of the speaker (rtnetlink.h leaves numbers from 0x50 on to others; 0x50 is the agent's). */
export const routeProtocol = 0x52
/**
 * Of connections that were made at the former holder this node may know nothing, so it passes their packets on to it, untranslated, and
 * the former holder goes on translating them. New connections are this node's own. TCP alone says which are which; of datagrams copies do.
 */
export class FormerHolders {
  readonly #network: Network
  readonly #node: string
  readonly #numbers = new Map<string, number>()
  /** Whom this node leads to, by address. */
  readonly #leads = new Map<Address, string>()
  readonly #looking = new Map<Address, NodeJS.Timeout>()
  readonly #asked = new Map<Address, Promise<boolean>>()
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
    const via = this.#gateway(from, family)
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

  /** Whether the kernel of a node answers as a neighbour, whatever became of its agent. */
  answers(node: string, family: Family): Promise<boolean> {
    const via = this.#gateway(node, family)
    if (via === undefined) return Promise.resolve(false)
    const asked = this.#asked.get(via) ?? this.#ask(via).finally(() => this.#asked.delete(via))
    this.#asked.set(via, asked)
    return asked
  }

  async #ask(via: Address): Promise<boolean> {
    const find = () => this.#network.neighbours().find(({ address }) => address === via)
    const known = find()
    if (known?.mac === undefined) return false
    this.#network.setNeighbour({ ...known, state: 'probe' })
    const end = performance.now() + answerMs
    for (;;) {
      if (find()?.state === 'reachable') return true
      if (performance.now() > end) return false
      await pause(2)
    }
  }

  /** Leads flows of datagrams to a node that is led to, which made them: nothing in a datagram says that. */
  leadFlows(node: string, flows: Iterable<Flow>): void {
    const number = this.#numbers.get(node)
    if (number === undefined) return
    for (const flow of flows) {
      const { original, ...rest } = connectionOf(flow)
      const reply = {
        source: original.destination,
        sourcePort: original.destinationPort,
        destination: original.source,
        destinationPort: original.sourcePort,
      }
      place(this.#network, { ...rest, original, reply, mark: movedMark.base + number })
    }
  }

  /** The node to which this one leads has the address again: what neither knows would go to and fro. */
  async hasOwner(address: Address, node: string | undefined): Promise<void> {
    if (node !== undefined && this.#leads.get(address) === node) await this.#end(address)
  }

  close(): void {
    for (const timer of this.#looking.values()) clearInterval(timer)
    this.#looking.clear()
  }

  #gateway(node: string, family: Family): Address | undefined {
    return this.#members.find(({ name }) => name === node)?.addresses.find((one) => familyOf(one) === family)
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
      if (isGone && node !== undefined) this.#giveUp(node)
    }, lookMs).unref()
    this.#looking.set(via, timer)
  }

  #giveUp(node: string): void {
    for (const [address, to] of this.#leads) if (to === node) this.#end(address).catch(() => undefined)
    const number = this.#numbers.get(node)
    if (number === undefined) return
    for (const connection of this.#network.connections({ mark: movedMark.base + number })) {
      try {
        this.#network.deleteConnection(connection)
      } catch (error) {
        if (!(error instanceof HostError)) throw error
      }
    }
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
