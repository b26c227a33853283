import type { Address } from '../addr/index.ts'
import { type AddressClaim, matches, nodesBySegment } from '../cluster/index.ts'
import type { Egress, Node } from '../objects/index.ts'
import { compileEgress } from './compile.ts'
import type { EgressModel } from './model.ts'
import { indexOf } from './node-index.ts'
import { byAge } from './select.ts'

/** Who may hold each egress address: of the nodes that its Egress selects, those that have a share of its ports. */
export function egressClaims(egresses: Iterable<Egress>, nodes: Iterable<Node>): AddressClaim[] {
  return claimsOf([...egresses].map(compileEgress).sort(byAge), nodes)
}

/**
 * The same of what is compiled, the oldest Egress first. An address of a segment is for nodes of that segment, because nobody else is asked for it
 * there; one that is of no segment is reached by a route, which may lead to any node.
 */
export function claimsOf(models: Iterable<EgressModel>, nodes: Iterable<Node>): AddressClaim[] {
  const able = [...nodes].filter((node) => indexOf(node) !== undefined).sort(byName)
  const everyone = able.map(({ metadata }) => metadata.name)
  const nodesNear = nodesBySegment(able)
  const claims = new Map<Address, AddressClaim>()
  for (const { addresses, holders } of models) {
    const chosen = (): readonly string[] =>
      able.flatMap(({ metadata }) => (matches(holders, metadata.labels) ? [metadata.name] : []))
    const eligible = holders === undefined ? everyone : chosen()
    for (const { address, because } of addresses) {
      if (claims.has(address)) continue
      const near = nodesNear(address)
      const own = near === undefined ? eligible : eligible.filter((name) => near.has(name))
      claims.set(address, { address, eligible: own, use: 'Egress', because })
    }
  }
  return [...claims.values()]
}

/** Who holds what while nobody has told: the node that wrote so on the Egress, else the first eligible node that is Ready. */
export function guessOwners(
  claims: readonly AddressClaim[],
  written: ReadonlyMap<Address, string>,
  nodes: ReadonlyMap<string, Node>,
): ReadonlyMap<Address, string> {
  const owners = new Map<Address, string>()
  for (const { address, eligible } of claims) {
    const last = written.get(address)
    const known = last !== undefined && eligible.includes(last)
    const owner = known ? last : eligible.find((name) => isReady(nodes.get(name)))
    if (owner !== undefined) owners.set(address, owner)
  }
  return owners
}

function isReady(node: Node | undefined): boolean {
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

function byName(a: Node, b: Node): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
