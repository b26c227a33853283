import { type Address, bytesOf, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import { parseMac, renderMac } from './mac.ts'
import type { Message } from './message.ts'
import { findBytes, present } from './optional.ts'
import { AF_BRIDGE, addressFamily } from './route-family.ts'

// include/uapi/linux/neighbour.h
const NDA_DST = 1
const NDA_LLADDR = 2
export const NUD_INCOMPLETE = 0x01
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
/** The entry belongs to the link itself (VXLAN), not to the bridge above it. */
export const NTF_SELF = 0x02
const NDMSG_LEN = 12

/** A neighbour (ARP, NDP) or, with `forwarding`, a forwarding entry of a bridge or VXLAN link. */
export interface NeighbourMessage {
  readonly address?: Address
  readonly linkIndex: number
  readonly mac?: string
  /** NUD_*, one bit. */
  readonly state: number
  /** NTF_*. */
  readonly flags: number
  readonly forwarding: boolean
}

/** Writes the body of RTM_NEWNEIGH and RTM_DELNEIGH. */
export function writeNeighbour(writer: AttributeWriter, neighbour: NeighbourMessage): void {
  const at = writer.reserve(NDMSG_LEN)
  const view = writer.view
  view[at] = neighbour.forwarding
    ? AF_BRIDGE
    : neighbour.address === undefined
      ? 0
      : addressFamily(familyOf(neighbour.address))
  view.writeInt32LE(neighbour.linkIndex, at + 4)
  view.writeUInt16LE(neighbour.state, at + 8)
  view[at + 10] = neighbour.flags
  if (neighbour.address !== undefined) writer.bytes(NDA_DST, bytesOf(neighbour.address))
  if (neighbour.mac !== undefined) writer.bytes(NDA_LLADDR, parseMac(neighbour.mac))
}

/** Writes the body of an RTM_GETNEIGH dump of all IP neighbours, or of all forwarding entries. */
export function writeNeighbourQuery(writer: AttributeWriter, forwarding = false): void {
  const at = writer.reserve(NDMSG_LEN)
  if (forwarding) writer.view[at] = AF_BRIDGE
}

/** Decodes the body of RTM_NEWNEIGH. */
export function decodeNeighbour(message: Message): NeighbourMessage {
  const { buffer, start, end } = message
  const attributes = readAttributes(buffer, start + NDMSG_LEN, end)
  return {
    linkIndex: buffer.readInt32LE(start + 4),
    state: buffer.readUInt16LE(start + 8),
    flags: buffer[start + 10]!,
    forwarding: buffer[start] === AF_BRIDGE,
    ...present('address', findBytes(attributes.bytes(NDA_DST))),
    ...present('mac', renderMac(attributes.bytes(NDA_LLADDR))),
  }
}
