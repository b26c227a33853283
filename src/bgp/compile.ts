import { familyOf } from '../addr/index.ts'
import { type Finding, internalAddresses, type ObjectKey } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { BgpModel, Peer } from './model.ts'
import type { BFDProfile, BGPAdvertisement, BGPPeer } from './objects.ts'
import { compilePeer, type PeerSurroundings } from './peers.ts'
import { RouteBook } from './route-book.ts'
import { type RouteSurroundings, tellHeld, tellService, type Understood, understandAll } from './routes.ts'

/** Everything that a node's part in BGP depends on. */
export interface BgpInput extends PeerSurroundings, RouteSurroundings {
  readonly peers: readonly BGPPeer[]
  readonly advertisements: readonly BGPAdvertisement[]
  readonly profiles: readonly BFDProfile[]
}

/** What a node says to its BGP peers, kept: a Service that changes costs what it has peers told, and nothing when that is what it was. */
export class BgpCompiler {
  #book = new RouteBook()
  #mine: readonly Understood[] = []
  #model: BgpModel = { routerId: undefined, peers: [], findings: [] }

  /** Everything anew. */
  compile(input: BgpInput): BgpModel {
    const findings: Finding[] = []
    const found = [...input.peers].sort(byName).flatMap((object) => compilePeer(object, input, findings) ?? [])
    const peers = withoutTwins(found, findings)
    const names = peers.map(({ name }) => name)
    this.#book = new RouteBook()
    this.#mine = understandAll([...input.advertisements].sort(byName), names, input, findings)
    const routerId = routerIdOf(input)
    if (peers.length > 0 && routerId === undefined) {
      const object = `node/${input.node.metadata.name}`
      const says = 'the node has no IPv4 address, which would be its router ID'
      findings.push({
        code: 'NoRouterID',
        object,
        field: 'status.addresses',
        says,
        try: 'give routerID in the BGPPeer',
      })
    }
    this.#model = { routerId, peers: routerId === undefined ? [] : peers, findings }
    return this.change(input, input.services.keys()) ?? this.#model
  }

  /** Takes in that these Services, or the addresses that the node holds, have changed; undefined when peers are told what they were. */
  change(input: BgpInput, services: Iterable<ObjectKey>): BgpModel | undefined {
    const names = this.#model.peers.map(({ name }) => name)
    let isChanged = this.#book.put('held', tellHeld(this.#mine, names, input))
    for (const key of services) {
      const told = tellService(input.services.get(key), this.#mine, names, input)
      if (this.#book.put(`service/${key}`, told)) isChanged = true
    }
    if (!isChanged) return undefined
    const peers = this.#model.peers.map((peer) => ({ ...peer, routes: this.#book.routesOf(peer.name) }))
    this.#model = { ...this.#model, peers }
    return this.#model
  }
}

/** One node has one session with a neighbour: of two objects for it the first by name counts. */
function withoutTwins(peers: readonly Peer[], findings: Finding[]): Peer[] {
  const taken = new Map<string, string>()
  return peers.filter(({ name, neighbor }) => {
    const where = 'link' in neighbor ? neighbor.link : `${neighbor.address} port ${neighbor.port}`
    const first = taken.get(where)
    if (first === undefined) {
      taken.set(where, name)
      return true
    }
    const says = `BGPPeer "${first}" has ${where} already`
    findings.push({
      code: 'SamePeer',
      object: `bgppeer/${name}`,
      field: 'spec.peerAddress',
      says,
      try: 'remove one of the two',
    })
    return false
  })
}

function routerIdOf({ peers, node }: { readonly peers: readonly BGPPeer[]; readonly node: Node }): string | undefined {
  const given = peers.map(({ spec }) => spec.routerID).find((id) => id !== undefined && /^\d+(\.\d+){3}$/.test(id))
  return given ?? internalAddresses(node).find((address) => familyOf(address) === 4)
}

function byName(a: { metadata: { name: string } }, b: { metadata: { name: string } }): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
