import {
  type Address,
  addressFromBytes,
  bytesOf,
  type Family,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import type { Message } from './message.ts'
import { findBytes, present } from './optional.ts'
import { addressFamily, findFamily } from './route-family.ts'

// include/uapi/linux/rtnetlink.h
const RTA_DST = 1
const RTA_SRC = 2
const RTA_IIF = 3
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_TABLE = 15
const RTA_MARK = 16
const RTA_VIA = 18
const RTAX_MTU = 2
export const RTNH_F_ONLINK = 4
export const RTM_F_CLONED = 0x200
/** In a lookup: answer with the table in which the route was found, not always the main one. */
const RTM_F_LOOKUP_TABLE = 0x1000
const RT_TABLE_UNSPEC = 0
export const RT_TABLE_MAIN = 254
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_HOST = 254
export const RT_SCOPE_NOWHERE = 255
export const RTN_UNICAST = 1
export const RTN_LOCAL = 2
export const RTN_BLACKHOLE = 6
export const RTN_UNREACHABLE = 7
export const RTN_PROHIBIT = 8
const RTMSG_LEN = 12

/** A route in the kernel's numbers. Multipath next hops are not decoded. */
export interface RouteMessage {
  readonly destination: Prefix
  readonly gateway?: Address
  readonly linkIndex?: number
  readonly source?: Address
  /** RT_SCOPE_*. */
  readonly scope: number
  /** RTN_*. */
  readonly type: number
  readonly table: number
  readonly metric?: number
  /** RTPROT_*. */
  readonly protocol: number
  readonly mtu?: number
  /** RTNH_F_* and RTM_F_*. */
  readonly flags: number
}

/** Writes the body of RTM_NEWROUTE and RTM_DELROUTE. */
export function writeRoute(writer: AttributeWriter, route: RouteMessage): void {
  const family = prefixFamily(route.destination)
  const length = prefixLength(route.destination)
  const at = writer.reserve(RTMSG_LEN)
  const view = writer.view
  view[at] = addressFamily(family)
  view[at + 1] = length
  // The header has 8 bits for the table; RTA_TABLE says the rest.
  view[at + 4] = route.table > 255 ? RT_TABLE_UNSPEC : route.table
  view[at + 5] = route.protocol
  view[at + 6] = route.scope
  view[at + 7] = route.type
  view.writeUInt32LE(route.flags, at + 8)
  writer.u32(RTA_TABLE, route.table)
  if (length > 0) writer.bytes(RTA_DST, bytesOf(prefixAddress(route.destination)))
  if (route.gateway !== undefined) writeGateway(writer, family, route.gateway)
  if (route.linkIndex !== undefined) writer.u32(RTA_OIF, route.linkIndex)
  if (route.source !== undefined) writer.bytes(RTA_PREFSRC, bytesOf(route.source))
  if (route.metric !== undefined) writer.u32(RTA_PRIORITY, route.metric)
  if (route.mtu !== undefined) {
    const metrics = writer.nest(RTA_METRICS)
    writer.u32(RTAX_MTU, route.mtu)
    writer.end(metrics)
  }
}

/** A gateway of the other family (RFC 8950) travels in RTA_VIA: its family, 16 bits, then the address. */
function writeGateway(writer: AttributeWriter, family: Family, gateway: Address): void {
  const bytes = bytesOf(gateway)
  if (bytes.length === (family === 4 ? 4 : 16)) {
    writer.bytes(RTA_GATEWAY, bytes)
    return
  }
  const via = new Uint8Array(2 + bytes.length)
  via[0] = addressFamily(family === 4 ? 6 : 4)
  via.set(bytes, 2)
  writer.bytes(RTA_VIA, via)
}

/** What an RTM_GETROUTE dump is narrowed to by the kernel, with NETLINK_GET_STRICT_CHK set. */
export interface RouteFilter {
  readonly family: Family
  readonly table?: number
  readonly protocol?: number
}

/** Writes the body of an RTM_GETROUTE dump. */
export function writeRouteQuery(writer: AttributeWriter, filter: RouteFilter): void {
  const at = writer.reserve(RTMSG_LEN)
  writer.view[at] = addressFamily(filter.family)
  writer.view[at + 5] = filter.protocol ?? 0
  if (filter.table !== undefined) writer.u32(RTA_TABLE, filter.table)
}

/** A packet whose way the kernel is asked for. */
export interface RouteLookup {
  readonly destination: Address
  readonly source?: Address
  readonly inputIndex?: number
  readonly mark?: number
}

/** Writes the body of a single RTM_GETROUTE: which route would this packet take? */
export function writeRouteLookup(writer: AttributeWriter, lookup: RouteLookup): void {
  const destination = bytesOf(lookup.destination)
  const at = writer.reserve(RTMSG_LEN)
  writer.view[at] = addressFamily(destination.length === 4 ? 4 : 6)
  writer.view[at + 1] = destination.length * 8
  if (lookup.source !== undefined) writer.view[at + 2] = destination.length * 8
  // IPv6 answers so without being asked, and refuses the flag.
  if (destination.length === 4) writer.view.writeUInt32LE(RTM_F_LOOKUP_TABLE, at + 8)
  writer.bytes(RTA_DST, destination)
  if (lookup.source !== undefined) writer.bytes(RTA_SRC, bytesOf(lookup.source))
  if (lookup.inputIndex !== undefined) writer.u32(RTA_IIF, lookup.inputIndex)
  if (lookup.mark !== undefined) writer.u32(RTA_MARK, lookup.mark)
}

/** Decodes the body of RTM_NEWROUTE or RTM_DELROUTE; undefined for families other than IP. */
export function decodeRoute(message: Message): RouteMessage | undefined {
  const { buffer, start, end } = message
  const family = findFamily(buffer[start]!)
  if (family === undefined) return undefined
  const attributes = readAttributes(buffer, start + RTMSG_LEN, end)
  const destination = attributes.bytes(RTA_DST) ?? new Uint8Array(family === 4 ? 4 : 16)
  const via = attributes.bytes(RTA_VIA)
  return {
    destination: `${addressFromBytes(destination)}/${buffer[start + 1]!}` as Prefix,
    table: attributes.u32(RTA_TABLE) ?? buffer[start + 4]!,
    protocol: buffer[start + 5]!,
    scope: buffer[start + 6]!,
    type: buffer[start + 7]!,
    flags: buffer.readUInt32LE(start + 8),
    ...present('gateway', findBytes(attributes.bytes(RTA_GATEWAY) ?? via?.subarray(2))),
    ...present('linkIndex', attributes.u32(RTA_OIF)),
    ...present('source', findBytes(attributes.bytes(RTA_PREFSRC))),
    ...present('metric', attributes.u32(RTA_PRIORITY)),
    ...present('mtu', attributes.nested(RTA_METRICS)?.u32(RTAX_MTU)),
  }
}
