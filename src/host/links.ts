import {
  decodeLink,
  decodeLinkIndex,
  type LinkMessage,
  type Message,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  writeLink,
  writeLinkQuery,
} from '../netlink/index.ts'
import { HostError, type Link, type Namespace, type Network } from './contract.ts'
import { hostError } from './errno.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

const ENODEV = 19
const make = NLM_F_CREATE | NLM_F_EXCL

/** All links of the socket's namespace. */
export function listLinks(socket: NetlinkSocket): Link[] {
  return socket.dump(
    'list links',
    RTM_GETLINK,
    (writer) => writeLinkQuery(writer),
    (message) => toLink(decodeLink(message)),
  )
}

/** The link of that name, if there is one. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  return getLink(socket, { name }, (message) => toLink(decodeLink(message)))
}

/** The name of the link of that index, if there is one. */
export function findLinkName(socket: NetlinkSocket, index: number): string | undefined {
  return getLink(socket, { index }, (message) => decodeLink(message).name)
}

/** The index of the link of that name; without one, a `missing` error of the step that needed it. */
export function indexOf(socket: NetlinkSocket, step: string, name: string): number {
  const index = getLink(socket, { name }, decodeLinkIndex)
  if (index === undefined) throw hostError(step, ENODEV, `there is no link ${name} in this network namespace`)
  return index
}

function getLink<T>(
  socket: NetlinkSocket,
  link: { name: string } | { index: number },
  decode: (message: Message) => T,
): T | undefined {
  const step = `find link ${'name' in link ? link.name : link.index}`
  try {
    return socket.get(step, RTM_GETLINK, (writer) => writeLinkQuery(writer, link), decode)
  } catch (error) {
    if (error instanceof HostError && error.code === 'missing') return undefined
    throw error
  }
}

export function addVeth(socket: NetlinkSocket, options: Parameters<Network['addVeth']>[0]): void {
  const { name, peerName, mtu, mac, peerMac, peerNamespace, alias } = options
  const peer = {
    index: 0,
    name: peerName,
    ...(mtu === undefined ? {} : { mtu }),
    ...(peerMac === undefined ? {} : { mac: peerMac }),
    ...(peerNamespace === undefined ? {} : { namespaceFd: descriptorOf(peerNamespace) }),
  }
  const link: LinkMessage = {
    index: 0,
    name,
    ...(mtu === undefined ? {} : { mtu }),
    ...(mac === undefined ? {} : { mac }),
    info: { kind: 'veth', peer },
  }
  socket.request(`add veth ${name} with peer ${peerName}`, RTM_NEWLINK, make, (writer) => writeLink(writer, link))
  if (alias === undefined) return
  try {
    // The kernel ignores the alias of a link that it makes.
    setLink(socket, name, { alias })
  } catch (error) {
    deleteLink(socket, name)
    throw error
  }
}

export function addBridge(socket: NetlinkSocket, name: string): void {
  socket.request(`add bridge ${name}`, RTM_NEWLINK, make, (writer) =>
    writeLink(writer, { index: 0, name, info: { kind: 'bridge' } }),
  )
}

export function addVxlan(socket: NetlinkSocket, options: Parameters<Network['addVxlan']>[0]): void {
  const { name, id, local, port, link, mtu } = options
  const step = `add vxlan ${name}`
  const lower = link === undefined ? {} : { lower: indexOf(socket, step, link) }
  socket.request(step, RTM_NEWLINK, make, (writer) =>
    writeLink(writer, {
      index: 0,
      name,
      ...(mtu === undefined ? {} : { mtu }),
      // Forwarding entries are written by whoever knows the nodes; learning them from packets would let a pod speak for a node.
      info: { kind: 'vxlan', id, local, port, learning: false, ...lower },
    }),
  )
}

export function setLink(socket: NetlinkSocket, name: string, change: Parameters<Network['setLink']>[1]): void {
  const { up, mtu, master, mac, rename, alias, namespace } = change
  const step = `set link ${name} ${Object.keys(change).join(' ')}`
  const link: LinkMessage = {
    // The name names the link, unless it is what changes.
    ...(rename === undefined ? { index: 0, name } : { index: indexOf(socket, step, name), name: rename }),
    ...(up === undefined ? {} : { up }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(mac === undefined ? {} : { mac }),
    ...(alias === undefined ? {} : { alias }),
    ...(master === undefined ? {} : { master: master === null ? 0 : indexOf(socket, step, master) }),
    ...(namespace === undefined ? {} : { namespaceFd: descriptorOf(namespace) }),
  }
  socket.request(step, RTM_SETLINK, 0, (writer) => writeLink(writer, link))
}

export function deleteLink(socket: NetlinkSocket, name: string): void {
  socket.request(`delete link ${name}`, RTM_DELLINK, 0, (writer) => writeLink(writer, { index: 0, name }))
}

function descriptorOf(namespace: Namespace | number): number {
  return typeof namespace === 'number' ? namespace : namespace.fd
}

function toLink(message: LinkMessage): Link {
  const { index, name = '', mtu = 0, mac, up = false, carrier = false, lower, master, alias, info } = message
  return {
    index,
    name,
    mtu,
    up,
    carrier,
    ...(info === undefined ? {} : { kind: info.kind === 'other' ? info.name : info.kind }),
    ...(mac === undefined ? {} : { mac }),
    ...(lower === undefined ? {} : { peerIndex: lower }),
    ...(master === undefined ? {} : { master }),
    ...(alias === undefined || alias === '' ? {} : { alias }),
  }
}
