import type { Finding } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { EgressNode } from './model.ts'

/** The annotation of a Node that says which share of every egress address's ports it has; the controllers write it once. */
export const indexAnnotation = 'plumb.network/egress-index'

/** Indexes stay below this, so that they fit into a mark. */
export const indexLimit = 4096

/** The index that a Node's annotation gives; undefined when it gives none. */
export function indexOf(node: Node): number | undefined {
  const text = node.metadata.annotations?.[indexAnnotation]
  if (text === undefined || !/^(0|[1-9]\d{0,3})$/.test(text)) return undefined
  const index = Number(text)
  return index < indexLimit ? index : undefined
}

/** Nodes by name. Of two with one index, the first by name has it: shared ports would deliver one node's answers to the other. */
export function readEgressNodes(
  nodes: Iterable<Node>,
  addressesOf: (node: Node) => EgressNode['addresses'],
): { nodes: ReadonlyMap<string, EgressNode>; findings: Finding[] } {
  const found = new Map<string, EgressNode>()
  const holders = new Map<number, string>()
  const findings: Finding[] = []
  for (const node of [...nodes].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const { name } = node.metadata
    let index = indexOf(node)
    const holder = index === undefined ? undefined : holders.get(index)
    if (index !== undefined && holder !== undefined) {
      findings.push({
        code: 'EgressIndexTaken',
        object: `node/${name}`,
        field: `metadata.annotations["${indexAnnotation}"]`,
        says: `${index} is the index of node/${holder} too, so selected pods on ${name} cannot leave`,
        try: `remove the annotation from node/${name}; the controllers give it a free one`,
      })
      index = undefined
    }
    if (index !== undefined) holders.set(index, name)
    found.set(name, { name, index, addresses: addressesOf(node) })
  }
  return { nodes: found, findings }
}
