import { familyOf } from '../addr/index.ts'
import { type Finding, internalAddresses } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { BgpModel, Peer } from './model.ts'
import type { BFDProfile, BGPAdvertisement, BGPPeer } from './objects.ts'
import { compilePeer, type PeerSurroundings } from './peers.ts'
import { compileRoutes, type RouteSurroundings } from './routes.ts'

/** Everything that a node's part in BGP depends on. */
export interface BgpInput extends PeerSurroundings, RouteSurroundings {
  readonly peers: readonly BGPPeer[]
  readonly advertisements: readonly BGPAdvertisement[]
  readonly profiles: readonly BFDProfile[]
}

/** What a node says to its BGP peers. */
export function compileBgp(input: BgpInput): BgpModel {
  const findings: Finding[] = []
  const found = [...input.peers].sort(byName).flatMap((object) => compilePeer(object, input, findings) ?? [])
  const peers = withoutTwins(found, findings)
  const names = peers.map(({ name }) => name)
  const routes = compileRoutes([...input.advertisements].sort(byName), names, input, findings)
  const routerId = routerIdOf(input)
  if (peers.length > 0 && routerId === undefined) {
    const object = `node/${input.node.metadata.name}`
    const says = 'the node has no IPv4 address, which would be its router ID'
    findings.push({ code: 'NoRouterID', object, field: 'status.addresses', says, try: 'give routerID in the BGPPeer' })
  }
  return {
    routerId,
    peers: routerId === undefined ? [] : peers.map((peer) => ({ ...peer, routes: routes.get(peer.name) ?? [] })),
    findings,
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
