import type { Address } from '../addr/index.ts'
import {
  decodeNeighbour,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NTF_SELF,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  writeNeighbour,
  writeNeighbourQuery,
} from '../netlink/index.ts'
import type { Neighbour } from './contract.ts'
import { indexOf, listLinks } from './links.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

const stateNumbers = {
  reachable: NUD_REACHABLE,
  stale: NUD_STALE,
  delay: NUD_DELAY,
  probe: NUD_PROBE,
  failed: NUD_FAILED,
  incomplete: NUD_INCOMPLETE,
  permanent: NUD_PERMANENT,
  noarp: NUD_NOARP,
} as const
const stateNames = new Map(
  Object.entries(stateNumbers).map(([name, number]) => [number as number, name as Neighbour['state']]),
)

export function listNeighbours(socket: NetlinkSocket): Neighbour[] {
  const names = new Map(listLinks(socket).map((link) => [link.index, link.name]))
  return socket.dump(
    'list neighbours',
    RTM_GETNEIGH,
    (writer) => writeNeighbourQuery(writer),
    (message) => {
      const { address, linkIndex, mac, state: number } = decodeNeighbour(message)
      const link = names.get(linkIndex)
      const state = stateNames.get(number)
      if (address === undefined || link === undefined || state === undefined) return undefined
      return { address, link, state, ...(mac === undefined ? {} : { mac }) }
    },
  )
}

/** Adds or replaces. */
export function setNeighbour(socket: NetlinkSocket, neighbour: Neighbour): void {
  const { address, link, mac, state } = neighbour
  const step = `set neighbour ${address} on link ${link}`
  const linkIndex = indexOf(socket, step, link)
  socket.request(step, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, (writer) =>
    writeNeighbour(writer, {
      address,
      linkIndex,
      state: stateNumbers[state],
      flags: 0,
      forwarding: false,
      ...(mac === undefined ? {} : { mac }),
    }),
  )
}

export function deleteNeighbour(socket: NetlinkSocket, address: Address, link: string): void {
  const step = `delete neighbour ${address} on link ${link}`
  const linkIndex = indexOf(socket, step, link)
  socket.request(step, RTM_DELNEIGH, 0, (writer) =>
    writeNeighbour(writer, { address, linkIndex, state: 0, flags: 0, forwarding: false }),
  )
}

/** A VXLAN link's entry: frames to `mac` go to the tunnel end `destination`; the zero MAC floods to all of its entries. */
export function setForwarding(socket: NetlinkSocket, link: string, mac: string, destination: Address): void {
  const step = `set forwarding of ${mac} to ${destination} on link ${link}`
  const linkIndex = indexOf(socket, step, link)
  // The kernel refuses to replace the flood entry, which may have many destinations.
  const flags = /^(00[:]?)+$/.test(mac) ? NLM_F_CREATE | NLM_F_APPEND : NLM_F_CREATE | NLM_F_REPLACE
  socket.request(step, RTM_NEWNEIGH, flags, (writer) =>
    writeNeighbour(writer, {
      address: destination,
      linkIndex,
      mac,
      state: NUD_PERMANENT | NUD_NOARP,
      flags: NTF_SELF,
      forwarding: true,
    }),
  )
}

/** The forwarding entries of a link that name a tunnel end. */
export function listForwardings(socket: NetlinkSocket, link: string): { mac: string; destination: Address }[] {
  const step = `list forwarding entries of link ${link}`
  const index = indexOf(socket, step, link)
  return socket.dump(
    step,
    RTM_GETNEIGH,
    (writer) => writeNeighbourQuery(writer, true),
    (message) => {
      const { linkIndex, mac, address } = decodeNeighbour(message)
      if (linkIndex !== index || mac === undefined || address === undefined) return undefined
      return { mac, destination: address }
    },
  )
}

export function deleteForwarding(socket: NetlinkSocket, link: string, mac: string, destination: Address): void {
  const step = `delete forwarding of ${mac} to ${destination} on link ${link}`
  const linkIndex = indexOf(socket, step, link)
  socket.request(step, RTM_DELNEIGH, 0, (writer) =>
    writeNeighbour(writer, { address: destination, linkIndex, mac, state: 0, flags: NTF_SELF, forwarding: true }),
  )
}
