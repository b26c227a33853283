import type { Address } from '../addr/index.ts'
import type { Labels, Snapshot } from '../cluster/index.ts'
import type { HeldSets } from './held-sets.ts'
import { policyNode } from './profile.ts'

/** The addresses of the cluster's nodes: the labels behind each, and which are this node's own. */
export class NodeAddresses {
  readonly #node: string
  #labels: ReadonlyMap<Address, Labels> = new Map()
  #own: ReadonlySet<Address> = new Set()
  #text = ''

  constructor(node: string) {
    this.#node = node
  }

  /** The labels of the node that has the address; undefined where none has it. */
  labelsAt(address: Address): Labels | undefined {
    return this.#labels.get(address)
  }

  isOwn(address: Address): boolean {
    return this.#own.has(address)
  }

  take(snapshot: Snapshot, sets: HeldSets): void {
    const nodes = [...snapshot.nodes.values()].map(policyNode)
    const own = snapshot.nodes.get(this.#node)
    this.#own = new Set(own && policyNode(own).addresses)
    // Nodes report often, and hardly ever other labels or addresses.
    const text = JSON.stringify(nodes)
    if (text === this.#text) return
    this.#text = text
    this.#labels = new Map(nodes.flatMap(({ addresses, labels }) => addresses.map((one) => [one, labels] as const)))
    sets.setNodes(nodes)
  }
}
