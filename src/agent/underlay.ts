import { findPrefix } from '../addr/index.ts'
import type { Client } from '../client/index.ts'
import {
  type Changes,
  defaultVxlan,
  internalAddresses,
  renderUnderlay,
  type Snapshot,
  type Underlay,
  underlayAnnotation,
} from '../cluster/index.ts'
import type { Network } from '../host/index.ts'
import type { Node } from '../objects/index.ts'
import type { PodNetwork } from '../pods/index.ts'
import type { Log, NodeModule } from './contract.ts'
import { nodes } from './resources.ts'

/** When what could not be written is written again, in milliseconds. */
const retryMs = 2000

export interface UnderlayOptions {
  readonly client: Client
  readonly network: Network
  readonly log: Log
  /** Of the tunnel to nodes on other segments; `defaultVxlan` unless told. */
  readonly vxlan?: Underlay['vxlan']
  /** What fits into one packet of the node's links, in bytes; what the links say unless told. */
  readonly mtu?: number
}

/** Tells on the node's own Node which segments it is on, so that the others know whether a tunnel leads to it. */
export class UnderlayModule implements NodeModule {
  readonly name = 'underlay'
  readonly #options: UnderlayOptions
  #timer: NodeJS.Timeout | undefined

  constructor(options: UnderlayOptions) {
    this.#options = options
  }

  update(snapshot: Snapshot, pods: PodNetwork, changes: Changes): void {
    if (changes.nodes.size === 0) return
    const node = snapshot.nodes.get(pods.node)
    if (node !== undefined) void this.#tell(node)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  async #tell(node: Node): Promise<void> {
    const { client, network, log } = this.#options
    const underlay = observeUnderlay(network, node, this.#options)
    if (underlay === undefined) return
    const text = renderUnderlay(underlay)
    if (node.metadata.annotations?.[underlayAnnotation] === text) return
    try {
      const annotations = { [underlayAnnotation]: text }
      await client.patch(nodes, undefined, node.metadata.name, 'merge', { metadata: { annotations } })
    } catch (error) {
      log.warn({ error: String(error) }, 'the segments of this node could not be written to its Node')
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.#tell(node), retryMs).unref()
    }
  }
}

/** The segments of a node's own addresses, as its links have them; undefined while no link has one of the addresses. */
export function observeUnderlay(
  network: Network,
  node: Node,
  { vxlan = defaultVxlan, mtu }: Pick<UnderlayOptions, 'vxlan' | 'mtu'> = {},
): Underlay | undefined {
  const own = internalAddresses(node)
  const held = network.addresses().filter(({ address }) => own.includes(address))
  if (held.length === 0) return undefined
  const segments = held.flatMap(({ address, prefixLength }) => findPrefix(`${address}/${prefixLength}`, true) ?? [])
  const links = [...new Set(held.map(({ link }) => link))].flatMap((link) => network.findLink(link) ?? [])
  return {
    segments: [...new Set(segments)].sort(),
    vxlan,
    mtu: mtu ?? Math.min(...links.map((link) => link.mtu)),
  }
}
