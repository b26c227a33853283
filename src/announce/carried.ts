import type { Address } from '../addr/index.ts'
import type { Service } from '../objects/index.ts'
import type { Announcement } from './announcement.ts'

/** A port of an external address whose connections any node could carry on. */
export interface CarriedPort {
  readonly address: Address
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

/**
 * The ports of a Service's external addresses at which clients from outside get the address itself as their source, so that the next holder
 * can carry their connections on: those of policy Cluster, held by one node at a time. With policy Local endpoints are on the holder, and end with it.
 */
export function carriedPorts({ spec }: Service, announcements: readonly Announcement[]): readonly CarriedPort[] {
  if (spec.externalTrafficPolicy === 'Local') return []
  const ports = (spec.ports ?? []).flatMap(({ port, protocol = 'TCP' }) =>
    protocol === 'SCTP' ? [] : [{ port, protocol: protocol === 'UDP' ? ('udp' as const) : ('tcp' as const) }],
  )
  return announcements.flatMap(({ claim }) => ports.map((one) => ({ address: claim.address, ...one })))
}
