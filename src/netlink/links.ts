import { type Address, bytesOf, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import { parseMac, renderMac } from './mac.ts'
import type { Message } from './message.ts'
import { findBytes, present } from './optional.ts'

// include/uapi/linux/if_link.h
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_NET_NS_FD = 28
const IFLA_EXT_MASK = 29
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const VETH_INFO_PEER = 1
const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_LOCAL6 = 17
/** Leaves the statistics, over a kilobyte per link, out of the answer. */
const RTEXT_FILTER_SKIP_STATS = 8

const IFF_UP = 0x1
const IFF_LOWER_UP = 0x10000
const IFINFOMSG_LEN = 16

/** A link as the kernel tells it, or as a request changes it; absent means not told, or not changed. */
export interface LinkMessage {
  /** 0 in requests that name the link by `name`. */
  readonly index: number
  readonly name?: string
  readonly mtu?: number
  /** Six bytes in colon form. */
  readonly mac?: string
  readonly up?: boolean
  readonly carrier?: boolean
  /** IFLA_LINK: the index of a veth's other end (in its own namespace) or of the lower link. */
  readonly lower?: number
  /** Index of the bridge that the link is a port of; 0 in a request takes it out. */
  readonly master?: number
  readonly alias?: string
  /** Descriptor of the namespace that the link is made in or moved to; only in requests. */
  readonly namespaceFd?: number
  readonly info?: LinkInfo
}

/** What kind of virtual link, with the options that Plumb sets. */
export type LinkInfo =
  | { readonly kind: 'veth'; readonly peer?: Omit<LinkMessage, 'info'> }
  | { readonly kind: 'bridge' }
  | {
      readonly kind: 'vxlan'
      readonly id: number
      readonly local?: Address
      readonly port: number
      readonly lower?: number
      readonly learning: boolean
    }
  | { readonly kind: 'other'; readonly name: string }

/** Writes ifinfomsg and the attributes of a link: the body of RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK. */
export function writeLink(writer: AttributeWriter, link: LinkMessage): void {
  const at = writer.reserve(IFINFOMSG_LEN)
  writer.view.writeInt32LE(link.index, at + 4)
  if (link.up !== undefined || link.carrier !== undefined) {
    const flags = (link.up === true ? IFF_UP : 0) | (link.carrier === true ? IFF_LOWER_UP : 0)
    writer.view.writeUInt32LE(flags, at + 8)
    if (link.up !== undefined) writer.view.writeUInt32LE(IFF_UP, at + 12)
  }
  if (link.name !== undefined) writer.string(IFLA_IFNAME, link.name)
  if (link.mtu !== undefined) writer.u32(IFLA_MTU, link.mtu)
  if (link.mac !== undefined) writer.bytes(IFLA_ADDRESS, parseMac(link.mac))
  if (link.lower !== undefined) writer.u32(IFLA_LINK, link.lower)
  if (link.master !== undefined) writer.u32(IFLA_MASTER, link.master)
  // The kernel's policy for the alias takes a string without the final zero.
  if (link.alias !== undefined) writer.string(IFLA_IFALIAS, link.alias, false)
  if (link.namespaceFd !== undefined) writer.u32(IFLA_NET_NS_FD, link.namespaceFd)
  if (link.info !== undefined) writeInfo(writer, link.info)
}

function writeInfo(writer: AttributeWriter, info: LinkInfo): void {
  const outer = writer.nest(IFLA_LINKINFO)
  writer.string(IFLA_INFO_KIND, info.kind === 'other' ? info.name : info.kind)
  if (info.kind === 'veth' && info.peer !== undefined) {
    const data = writer.nest(IFLA_INFO_DATA)
    const peer = writer.nest(VETH_INFO_PEER)
    writeLink(writer, info.peer)
    writer.end(peer)
    writer.end(data)
  } else if (info.kind === 'vxlan') {
    const data = writer.nest(IFLA_INFO_DATA)
    writer.u32(IFLA_VXLAN_ID, info.id)
    writer.u16be(IFLA_VXLAN_PORT, info.port)
    writer.u8(IFLA_VXLAN_LEARNING, info.learning ? 1 : 0)
    if (info.lower !== undefined) writer.u32(IFLA_VXLAN_LINK, info.lower)
    if (info.local !== undefined) {
      writer.bytes(familyOf(info.local) === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, bytesOf(info.local))
    }
    writer.end(data)
  }
  writer.end(outer)
}

/** Writes the body of RTM_GETLINK: one link by name or index, or all of them in a dump. */
export function writeLinkQuery(writer: AttributeWriter, link: { index?: number; name?: string } = {}): void {
  const at = writer.reserve(IFINFOMSG_LEN)
  if (link.index !== undefined) writer.view.writeInt32LE(link.index, at + 4)
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  if (link.name !== undefined) writer.string(IFLA_IFNAME, link.name)
}

/** Decodes the body of RTM_NEWLINK or RTM_DELLINK. */
export function decodeLink(message: Message): LinkMessage {
  return readLink(message.buffer, message.start, message.end)
}

/** The index alone, for those who need no more: a link has a hundred attributes. */
export function decodeLinkIndex(message: Message): number {
  return message.buffer.readInt32LE(message.start + 4)
}

function readLink(buffer: Buffer, start: number, end: number): LinkMessage {
  const flags = buffer.readUInt32LE(start + 8)
  const attributes = readAttributes(buffer, start + IFINFOMSG_LEN, end)
  const info = attributes.nested(IFLA_LINKINFO)
  const kind = info?.string(IFLA_INFO_KIND)
  return {
    index: buffer.readInt32LE(start + 4),
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    ...present('name', attributes.string(IFLA_IFNAME)),
    ...present('mtu', attributes.u32(IFLA_MTU)),
    ...present('mac', renderMac(attributes.bytes(IFLA_ADDRESS))),
    ...present('lower', attributes.u32(IFLA_LINK)),
    ...present('master', attributes.u32(IFLA_MASTER)),
    ...present('alias', attributes.string(IFLA_IFALIAS)),
    ...present('namespaceFd', attributes.u32(IFLA_NET_NS_FD)),
    ...(kind === undefined ? {} : { info: readInfo(kind, info!.bytes(IFLA_INFO_DATA)) }),
  }
}

function readInfo(kind: string, data: Buffer | undefined): LinkInfo {
  const attributes = readAttributes(data ?? Buffer.alloc(0))
  switch (kind) {
    case 'veth': {
      const peer = attributes.bytes(VETH_INFO_PEER)
      return peer === undefined ? { kind } : { kind, peer: readLink(peer, 0, peer.length) }
    }
    case 'bridge':
      return { kind }
    case 'vxlan':
      return {
        kind,
        id: attributes.u32(IFLA_VXLAN_ID) ?? 0,
        port: attributes.u16be(IFLA_VXLAN_PORT) ?? 0,
        learning: attributes.u8(IFLA_VXLAN_LEARNING) === 1,
        ...present('local', findBytes(attributes.bytes(IFLA_VXLAN_LOCAL) ?? attributes.bytes(IFLA_VXLAN_LOCAL6))),
        ...present('lower', attributes.u32(IFLA_VXLAN_LINK)),
      }
    default:
      return { kind: 'other', name: kind }
  }
}
