import type { Address } from '../addr/index.ts'
import {
  type Announcement,
  carriedPorts,
  mergeAnnouncements,
  rankNodes,
  serviceAnnouncements,
} from '../announce/index.ts'
import { type Changes, type Finding, internalAddresses, type ObjectKey, type Snapshot } from '../cluster/index.ts'
import { egressClaims } from '../egress/index.ts'
import { poolFinder } from '../ipam/index.ts'
import type { AddressSelection, IPAddressPool, L2Advertisement, Node } from '../objects/index.ts'
import type { Cared } from '../standby/index.ts'
import type { Member } from './heartbeats.ts'

/** Nodes that keep a copy of an address' connections, its holder among them or not. */
const standbys = 3

type OfService = ReturnType<typeof serviceAnnouncements>

/** What is to be announced in the cluster, kept by Service: a change of one costs that one, a change of nodes, pools or advertisements all. */
export class Announcements {
  readonly #byService = new Map<ObjectKey, OfService>()
  #nodesText = ''
  #configText = ''
  #all: ReadonlyMap<Address, Announcement> = new Map()

  get all(): ReadonlyMap<Address, Announcement> {
    return this.#all
  }

  get findings(): readonly Finding[] {
    return [...this.#byService.values()].flatMap(({ findings }) => findings)
  }

  /** The addresses whose connections any node could carry on, and who is to be ready. */
  cared(snapshot: Snapshot): readonly Cared[] {
    const cared = new Map<Address, Cared & { ports: Cared['ports'][number][] }>()
    for (const [key, { announcements }] of this.#byService) {
      const service = snapshot.services.get(key)
      for (const { address, ...port } of service === undefined ? [] : carriedPorts(service, announcements)) {
        const announcement = this.#all.get(address)
        if (announcement === undefined) continue
        const { claim, isRouted } = announcement
        const ranked = rankNodes(claim).slice(0, standbys)
        const one = cared.get(address) ?? { address, ports: [], standbys: ranked, isRouted }
        one.ports.push(port)
        cared.set(address, one)
      }
    }
    return [...cared.values()]
  }

  /** The Services of each address. */
  servicesByAddress(): ReadonlyMap<Address, readonly ObjectKey[]> {
    const keys = new Map<Address, ObjectKey[]>()
    for (const [key, { announcements }] of this.#byService)
      for (const { claim } of announcements) keys.set(claim.address, [...(keys.get(claim.address) ?? []), key])
    return keys
  }

  /** The Services that an address belongs to. */
  servicesOf(address: Address): ObjectKey[] {
    return [...this.#byService].flatMap(([key, { announcements }]) =>
      announcements.some(({ claim }) => claim.address === address) ? [key] : [],
    )
  }

  /** Takes a change in; true when anything may be announced otherwise than before. */
  update(
    snapshot: Snapshot,
    changes: Pick<Changes, 'services' | 'egresses'>,
    pools: readonly IPAddressPool[],
    advertisements: readonly L2Advertisement[],
    byRoute: readonly AddressSelection[],
  ): boolean {
    const nodes = [...snapshot.nodes.values()]
    const nodesText = JSON.stringify(nodes.map(relevant))
    const configText = JSON.stringify([pools, advertisements, byRoute].map((objects) => objects.map(meaning)))
    const isWhole = nodesText !== this.#nodesText || configText !== this.#configText
    if (!isWhole && changes.services.size === 0 && changes.egresses.size === 0) return false
    this.#nodesText = nodesText
    this.#configText = configText
    if (isWhole) this.#byService.clear()
    const surroundings = { nodes, advertisements, byRoute, findPool: poolFinder(pools) }
    for (const key of isWhole ? snapshot.services.keys() : changes.services) {
      const service = snapshot.services.get(key)
      if (service?.spec.type !== 'LoadBalancer') this.#byService.delete(key)
      else this.#byService.set(key, serviceAnnouncements(service, snapshot.slicesOf(key), surroundings))
    }
    const egress = egressClaims(snapshot.egresses.values(), nodes).map(
      (claim): Announcement => ({ claim, isRouted: false, links: new Map() }),
    )
    const services = [...this.#byService.values()].flatMap(({ announcements }) => announcements)
    this.#all = mergeAnnouncements([...services, ...egress])
    return true
  }
}

/** The nodes that vote: those that say where they are. */
export function membersOf(nodes: Iterable<Node>): readonly Member[] {
  return [...nodes].flatMap((node) => {
    const addresses = internalAddresses(node)
    return addresses.length === 0 ? [] : [{ name: node.metadata.name, addresses }]
  })
}

/** What of a Node decides whether and where it announces; heartbeats change the rest all the time. */
function relevant({ metadata, status }: Node): unknown {
  const { name, labels, annotations, deletionTimestamp } = metadata
  const cutOff = status?.conditions?.find(({ type }) => type === 'NetworkUnavailable')?.status
  return [name, labels, annotations, deletionTimestamp, cutOff, status?.addresses]
}

function meaning({ metadata, spec }: IPAddressPool | L2Advertisement | AddressSelection): unknown {
  return [metadata.name, metadata.labels, spec]
}
