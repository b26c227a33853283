import type { Address } from '../addr/index.ts'
import type { Egress, Node } from '../objects/index.ts'
import { compileEgress } from './compile.ts'
import { readEgressNodes } from './node-index.ts'
import { nodeOfPort } from './ports.ts'
import { byAge } from './select.ts'

/** The node whose pods leave under a port of an egress address, or why there is none. */
export type PortOwner =
  | { readonly kind: 'node'; readonly node: string; readonly egress: string }
  | { readonly kind: 'nobody'; readonly says: string }

/** Whose pods have a port, by the division of the address that its oldest Egress gives. */
export function findPortOwner(
  egresses: Iterable<Egress>,
  nodes: Iterable<Node>,
  address: Address,
  port: number,
): PortOwner {
  const models = [...egresses].map(compileEgress).sort(byAge)
  const model = models.find(({ addresses }) => addresses.some((one) => one.address === address))
  if (model === undefined) return { kind: 'nobody', says: `${address} is the address of no Egress` }
  const index = nodeOfPort(model.ports, port)
  const found = [...readEgressNodes(nodes, () => ({})).nodes.values()].find((node) => node.index === index)
  if (index !== undefined && found !== undefined) return { kind: 'node', node: found.name, egress: model.key }
  return { kind: 'nobody', says: `port ${port} of ${address} is no node’s, by spec.ports of ${model.object}` }
}
