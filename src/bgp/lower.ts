import type { Prefix } from '../addr/index.ts'
import type { BirdConfig, BirdExport, BirdPeer } from '../bird/index.ts'
import type { BgpModel, Peer, Route } from './model.ts'

/** BIRD's configuration for a node; undefined when it speaks with nobody. */
export function lowerBgp({ routerId, peers }: BgpModel): BirdConfig | undefined {
  if (routerId === undefined || peers.length === 0) return undefined
  const prefixes = new Set<Prefix>(peers.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)))
  return { routerId, prefixes: [...prefixes].sort(), peers: peers.map(lowerPeer) }
}

function lowerPeer(peer: Peer): BirdPeer {
  const { localAddress, password, bfd } = peer
  return {
    name: peer.name,
    localAsn: peer.localAsn,
    ...(localAddress === undefined ? {} : { localAddress }),
    neighbor: peer.neighbor,
    remoteAsn: peer.remoteAsn,
    multihop: peer.multihop,
    holdSeconds: peer.holdSeconds,
    keepaliveSeconds: peer.keepaliveSeconds,
    connectRetrySeconds: peer.connectRetrySeconds,
    ...(password === undefined ? {} : { password }),
    ...(bfd === undefined ? {} : { bfd }),
    gracefulRestart: peer.gracefulRestart,
    families: peer.families,
    exports: lowerRoutes(peer.routes),
  }
}

/** One clause for all prefixes with the same attributes. */
function lowerRoutes(routes: readonly Route[]): BirdExport[] {
  const groups = new Map<string, { prefixes: Prefix[]; route: Route }>()
  for (const route of routes) {
    const key = `${route.localPreference} ${route.communities.map((parts) => parts.join(':')).join(' ')}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { prefixes: [route.prefix], route })
    else group.prefixes.push(route.prefix)
  }
  return [...groups.values()].map(({ prefixes, route: { localPreference, communities } }) => ({
    prefixes,
    ...(localPreference === undefined ? {} : { localPreference }),
    communities,
  }))
}
