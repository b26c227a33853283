import { setTimeout as pause } from 'node:timers/promises'
import { type Address, familyOf } from '../addr/index.ts'
import type { Namespace } from '../host/index.ts'
import {
  broadcastMac,
  decodeArp,
  decodeNeighbourFrame,
  encodeArp,
  encodeNeighbourFrame,
  multicastMac,
  solicitedNodeGroup,
  zeroMac,
} from '../netlink/index.ts'

const rounds = 2
const roundMs = 250

/** Who answered a question of one machine, or why none was asked. */
export type OwnerAnswer =
  | { readonly kind: 'asked'; readonly link: string; readonly macs: readonly string[]; readonly own: boolean }
  | { readonly kind: 'not-asked'; readonly says: string }

/**
 * Asks by ARP or NDP who has an address, without claiming it (RFC 5227 section 2.1.1, RFC 4862 section 5.4.2), on the link by which this
 * machine would reach it. `own`: it is an address of this machine itself.
 */
export async function askOwner({ network }: Namespace, address: Address): Promise<OwnerAnswer> {
  const own = network.addresses().find((one) => one.address === address)
  const route = network.lookupRoute(address)
  if (own === undefined && route?.gateway !== undefined)
    return {
      kind: 'not-asked',
      says: `${address} is behind a router (${route.gateway}), where ARP and NDP do not reach`,
    }
  // To an address of its own the route is loopback's; others would ask on the link of its neighbours.
  const name = own === undefined ? route?.link : own.link
  const link = name === undefined ? undefined : network.findLink(name)
  if (link?.mac === undefined) return { kind: 'not-asked', says: `no link leads to ${address}` }
  const macs = new Set<string>()
  const family = familyOf(address)
  const socket = network.openFrames(
    link,
    family === 4 ? 'arp' : 'neighbour-discovery',
    (bytes) => {
      const arp = family === 4 ? decodeArp(bytes) : undefined
      if (arp?.sender === address && arp.senderMac !== link.mac) macs.add(arp.senderMac)
      const frame = family === 6 ? decodeNeighbourFrame(bytes) : undefined
      if (frame?.message.kind === 'advertisement' && frame.target === address)
        macs.add(frame.message.targetMac ?? frame.etherSource)
    },
    () => undefined,
  )
  try {
    for (let round = 0; round < rounds; round++) {
      socket.send(question(address, link.mac))
      await pause(roundMs)
    }
  } finally {
    socket.close()
  }
  return { kind: 'asked', link: link.name, macs: [...macs].sort(), own: own !== undefined }
}

function question(address: Address, mac: string): Uint8Array {
  if (familyOf(address) === 4)
    return encodeArp({
      operation: 'request',
      etherSource: mac,
      senderMac: mac,
      sender: '0.0.0.0' as Address,
      target: address,
      targetMac: zeroMac,
      etherDestination: broadcastMac,
    })
  const group = solicitedNodeGroup(address)
  return encodeNeighbourFrame({
    etherSource: mac,
    etherDestination: multicastMac(group),
    source: '::' as Address,
    destination: group,
    target: address,
    message: { kind: 'solicitation', sourceMac: undefined },
  })
}
