import { type Address, findAddress } from '../addr/index.ts'
import { carriedPorts, mergeAnnouncements, rankNodes, serviceAnnouncements } from '../announce/index.ts'
import { isOnSegment, keyOf, type Snapshot, underlayOf } from '../cluster/index.ts'
import { poolFinder } from '../ipam/index.ts'
import type { Service } from '../objects/index.ts'
import { tunnelledPrefixes } from '../pods/index.ts'
import type { ServiceContext } from '../services/index.ts'
import { type Entry, judgeHolder } from './holders.ts'
import { podNetworkOf } from './pod-network.ts'

type Announced = readonly { readonly service: Service; readonly announcements: ReturnType<typeof announcementsOf> }[]

/** The Services whose address this is and that L2Advertisements announce there, by what the speakers decide it by. */
export function announcedAt(snapshot: Snapshot, address: Address): Announced {
  if (snapshot.l2Advertisements.size === 0) return []
  return [...snapshot.services.values()].flatMap((service) => {
    const has = service.status?.loadBalancer?.ingress?.some(({ ip = '' }) => findAddress(ip) === address)
    if (has !== true) return []
    const announcements = announcementsOf(snapshot, service).filter(({ claim }) => claim.address === address)
    return announcements.length === 0 ? [] : [{ service, announcements }]
  })
}

/** What speakers announce of a Service, by the objects. */
export function announcementsOf(snapshot: Snapshot, service: Service) {
  const surroundings = {
    nodes: snapshot.nodes.values(),
    advertisements: [...snapshot.l2Advertisements.values()],
    byRoute: [],
    findPool: poolFinder(snapshot.addressPools.values()),
  }
  return serviceAnnouncements(service, snapshot.slicesOf(keyOf(service)), surroundings).announcements
}

/** Where packets to an address that one node at a time holds come in: at the node that says it holds it, else at the first in rank; undefined where nobody says so and no L2Advertisement announces it. */
export function findHolder(snapshot: Snapshot, address: Address): Entry | undefined {
  const all = announcedAt(snapshot, address).flatMap(({ announcements }) => announcements)
  const claim = mergeAnnouncements(all).get(address)?.claim
  return judgeHolder(snapshot, address, claim === undefined ? [] : rankNodes(claim))
}

/** What clients from outside are to endpoints, where this node holds the address: that is what the tables of `standby` make of it. */
export function carriedAt(snapshot: Snapshot, node: string, address: Address): NonNullable<ServiceContext['carried']> {
  // Elsewhere routers need not find the holder.
  const isNear = isOnSegment(underlayOf(snapshot.nodes.get(node)), address)
  const announced = isNear ? announcedAt(snapshot, address) : []
  return {
    ports: announced.flatMap(({ service, announcements }) => carriedPorts(service, announcements)),
    boundPrefixes: announced.length === 0 ? [] : tunnelledPrefixes(podNetworkOf(snapshot, node)),
  }
}
