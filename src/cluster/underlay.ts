import { type Address, contains, familyOf, findPrefix, type Prefix, prefixFamily } from '../addr/index.ts'
import type { Node } from '../objects/index.ts'

/** What a node's agent tells of the network below: by it others know whom it reaches without a router. */
export interface Underlay {
  /** The prefixes of the links that have the node's InternalIPs. */
  readonly segments: readonly Prefix[]
  /** The tunnel's VXLAN network identifier (24 bits) and UDP port; all nodes have the same. */
  readonly vxlan: { readonly id: number; readonly port: number }
  /** What fits into one packet of the nodes' links, in bytes. */
  readonly mtu: number
}

/** The annotation of a Node in which its agent tells its `Underlay`. */
export const underlayAnnotation = 'plumb.network/underlay'

/** What a tunnel has unless told otherwise: the port that Linux has always used, because 4789 is a data centre's own. */
export const defaultVxlan: Underlay['vxlan'] = { id: 80, port: 8472 }

/** As `segments=172.30.0.0/24,fd00:30::/64 vxlan=80:8472 mtu=1500`. */
export function renderUnderlay({ segments, vxlan, mtu }: Underlay): string {
  return `segments=${segments.join(',')} vxlan=${vxlan.id}:${vxlan.port} mtu=${mtu}`
}

/** Undefined for a text that is none, and for numbers that cannot be. */
export function parseUnderlay(text: string): Underlay | undefined {
  const match = /^segments=(\S*) vxlan=(\d{1,8}):(\d{1,5}) mtu=(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, prefixes = '', ...numbers] = match
  const [id = 0, port = 0, mtu = 0] = numbers.map(Number)
  const segments = prefixes.split(',').flatMap((one) => findPrefix(one, true) ?? [])
  if (id >= 1 << 24 || port < 1 || port > 65535 || mtu < 576) return undefined
  return { segments, vxlan: { id, port }, mtu }
}

/** Nodes are never changed in place, and are asked again and again. */
const known = new WeakMap<Node, Underlay | undefined>()

/** What the Node's agent told; undefined until it has. */
export function underlayOf(node: Node | undefined): Underlay | undefined {
  const text = node?.metadata.annotations?.[underlayAnnotation]
  if (node === undefined || text === undefined) return undefined
  if (!known.has(node)) known.set(node, parseUnderlay(text))
  return known.get(node)
}

/** Whether an address is on a segment of the node's; everything is, while nobody has told the node's segments of that family. */
export function isOnSegment(own: Underlay | undefined, address: Address): boolean {
  const segments = own?.segments.filter((prefix) => prefixFamily(prefix) === familyOf(address)) ?? []
  return segments.length === 0 || segments.some((prefix) => contains(prefix, address))
}

/**
 * Which nodes are asked for an address by ARP or NDP: those of its segment, and those that have not told theirs. Undefined where it is of no
 * segment, or all nodes are on it.
 */
export function nodesBySegment(nodes: readonly Node[]): (address: Address) => ReadonlySet<string> | undefined {
  const namesOf = new Map<Prefix, Set<string>>()
  const untold: string[] = []
  for (const node of nodes) {
    const underlay = underlayOf(node)
    if (underlay === undefined) untold.push(node.metadata.name)
    for (const segment of underlay?.segments ?? []) {
      const names = namesOf.get(segment) ?? new Set()
      namesOf.set(segment, names.add(node.metadata.name))
    }
  }
  for (const names of namesOf.values()) for (const name of untold) names.add(name)
  const parted = [...namesOf].filter(([, names]) => names.size < nodes.length)
  return (address) => parted.find(([segment]) => contains(segment, address))?.[1]
}
