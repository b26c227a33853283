import type { BGPPeer } from '../bgp/index.ts'
import { ApiError, type Resource } from '../client/index.ts'
import type { BgpObjects, Subject } from '../doctor/index.ts'
import type { Cluster } from './read-cluster.ts'
import { pages } from './read-kinds.ts'

const plumb = { group: 'plumb.network', version: 'v1alpha1', namespaced: false }
const kinds: Readonly<Record<keyof BgpObjects, Resource>> = {
  peers: { ...plumb, plural: 'bgppeers', kind: 'BGPPeer' },
  advertisements: { ...plumb, plural: 'bgpadvertisements', kind: 'BGPAdvertisement' },
  profiles: { ...plumb, plural: 'bfdprofiles', kind: 'BFDProfile' },
  communities: { ...plumb, plural: 'communities', kind: 'Community' },
}

/** What routers are to be told of a Service with external addresses; undefined where it has none, or nobody speaks BGP. */
export async function readBgp({ client }: Cluster, { service }: Subject): Promise<BgpObjects | undefined> {
  if ((service.status?.loadBalancer?.ingress ?? []).length === 0) return undefined
  const read = async (resource: Resource): Promise<unknown[]> => {
    const found: unknown[] = []
    try {
      for await (const one of pages(client, resource)) found.push(one)
    } catch (error) {
      // A cluster need not know these kinds, nor let everybody read them.
      if (!(error instanceof ApiError)) throw error
    }
    return found
  }
  const names = Object.keys(kinds) as (keyof BgpObjects)[]
  const all = await Promise.all(names.map(async (name) => [name, await read(kinds[name])] as const))
  const objects = Object.fromEntries(all) as unknown as BgpObjects
  return objects.peers.length === 0 ? undefined : { ...objects, peers: objects.peers.map(withoutPassword) }
}

function withoutPassword(peer: BGPPeer): BGPPeer {
  return peer.spec.password === undefined ? peer : { ...peer, spec: { ...peer.spec, password: '(not shown)' } }
}
