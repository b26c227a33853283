import { type Address, type Family, familyOf } from '../addr/index.ts'
import { dispatchChains, nodesElements, nodesMap } from './dispatch-rules.ts'
import type { HeldTable } from './language.ts'
import { chainSuffix, limitRules } from './lower.ts'
import type { EgressModel, EgressNode } from './model.ts'

/**
 * What every node holds of every address, whoever owns it: a packet for it goes to the node that has the port, wherever it arrives.
 * So an address moves without anything to hand over.
 */
export class Dispatch {
  readonly #own: string
  readonly #tables: ReadonlyMap<Family, HeldTable>
  /** Divisions of ports in use, by ports per node. */
  readonly #plans = new Set<number>()
  #nodes: readonly EgressNode[] = []

  constructor(own: string, tables: ReadonlyMap<Family, HeldTable>) {
    this.#own = own
    this.#tables = tables
  }

  setNodes(nodes: Iterable<EgressNode>): void {
    this.#nodes = [...nodes]
    for (const perNode of this.#plans) this.#write(perNode)
  }

  setAddresses(addresses: ReadonlyMap<Address, EgressModel>): void {
    const plans = new Set([...addresses.values()].map(({ ports }) => ports.perNode))
    for (const perNode of plans) if (!this.#plans.has(perNode)) this.#write(perNode)
    for (const [family, table] of this.#tables) {
      const own = [...addresses].filter(([address]) => familyOf(address) === family)
      table.fill('addresses', new Map(own.map(([address]) => [address, undefined])))
      table.fill('dispatch', new Map(own.map(([address, { ports }]) => [address, `goto ports-${ports.perNode}`])))
      writeLimits(table, own)
    }
    for (const perNode of [...this.#plans]) if (!plans.has(perNode)) this.#remove(perNode)
  }

  #write(perNode: number): void {
    this.#plans.add(perNode)
    for (const [family, table] of this.#tables) {
      table.addSet(nodesMap(perNode))
      table.fill(`nodes-${perNode}`, nodesElements(perNode, this.#nodes, this.#own))
      for (const { name, rules } of dispatchChains(family, perNode, this.#nodes, this.#own)) table.setChain(name, rules)
    }
  }

  #remove(perNode: number): void {
    this.#plans.delete(perNode)
    for (const table of this.#tables.values()) {
      table.removeChain(`ports-${perNode}`)
      table.removeChain(`icmp-${perNode}`)
      table.removeSet(`nodes-${perNode}`)
    }
  }
}

function writeLimits(table: HeldTable, own: readonly (readonly [Address, EgressModel])[]): void {
  const limited = own.flatMap(([address, { bandwidth }]) =>
    bandwidth === undefined ? [] : [{ address, name: `limit-${chainSuffix('', address)}`, bandwidth }],
  )
  for (const { name, bandwidth } of limited) table.setChain(name, limitRules(bandwidth))
  table.fill('limits', new Map(limited.map(({ address, name }) => [address, `jump ${name}`])))
  const kept = new Set(limited.map(({ name }) => name))
  for (const name of table.chainsNamed('limit-')) if (!kept.has(name)) table.removeChain(name)
}
