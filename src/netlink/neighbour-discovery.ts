import { type Address, addressFromBytes, bytesOf } from '../addr/index.ts'
import { ETH_P_IPV6, writeEther } from './arp.ts'
import { parseMac, renderMac } from './mac.ts'

const etherBytes = 14
const ipBytes = 40
/** Type, code, checksum, flags, target. */
const messageBytes = 24
const optionBytes = 8
const icmpv6 = 58
const solicitation = 135
const advertisement = 136
/** Options' types (RFC 4861 section 4.6.1). */
const sourceLinkLayer = 1
const targetLinkLayer = 2

/** ff02::1 */
export const allNodes = 'ff02::1' as Address

/** An Ethernet frame with a neighbour solicitation or advertisement (RFC 4861 sections 4.3 and 4.4). */
export interface NeighbourFrame {
  readonly etherSource: string
  readonly etherDestination: string
  readonly source: Address
  readonly destination: Address
  readonly target: Address
  readonly message:
    | { readonly kind: 'solicitation'; readonly sourceMac: string | undefined }
    | {
        readonly kind: 'advertisement'
        readonly targetMac: string | undefined
        readonly router: boolean
        readonly solicited: boolean
        readonly override: boolean
      }
}

/** The MAC address of an IPv6 multicast group (RFC 2464 section 7). */
export function multicastMac(group: Address): string {
  return renderMac(Uint8Array.from([0x33, 0x33, ...bytesOf(group).subarray(12)]))!
}

/** The group to which solicitations for the address go (RFC 4291 section 2.7.1). */
export function solicitedNodeGroup(address: Address): Address {
  const bytes = Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...bytesOf(address).subarray(13)])
  return addressFromBytes(bytes)
}

/** The frame's bytes, with hop limit 255, without which receivers drop it, and checksum. */
export function encodeNeighbourFrame(frame: NeighbourFrame): Buffer {
  const { message } = frame
  const mac = message.kind === 'solicitation' ? message.sourceMac : message.targetMac
  const length = messageBytes + (mac === undefined ? 0 : optionBytes)
  const buffer = Buffer.alloc(etherBytes + ipBytes + length)
  writeEther(buffer, frame.etherDestination, frame.etherSource, ETH_P_IPV6)
  buffer.writeUInt32BE(0x60000000, 14)
  buffer.writeUInt16BE(length, 18)
  buffer.writeUInt8(icmpv6, 20)
  buffer.writeUInt8(255, 21)
  buffer.set(bytesOf(frame.source), 22)
  buffer.set(bytesOf(frame.destination), 38)
  const icmp = buffer.subarray(etherBytes + ipBytes)
  icmp.writeUInt8(message.kind === 'solicitation' ? solicitation : advertisement, 0)
  if (message.kind === 'advertisement') {
    const { router, solicited, override } = message
    icmp.writeUInt8((router ? 0x80 : 0) | (solicited ? 0x40 : 0) | (override ? 0x20 : 0), 4)
  }
  icmp.set(bytesOf(frame.target), 8)
  if (mac !== undefined) {
    icmp.writeUInt8(message.kind === 'solicitation' ? sourceLinkLayer : targetLinkLayer, messageBytes)
    // In units of 8 bytes.
    icmp.writeUInt8(1, messageBytes + 1)
    icmp.set(parseMac(mac), messageBytes + 2)
  }
  icmp.writeUInt16BE(checksum(buffer.subarray(22, 54), icmp), 2)
  return buffer
}

/**
 * The inverse of `encodeNeighbourFrame`; undefined for whatever is none, or is not valid by sections 7.1.1 and 7.1.2: hop limit
 * other than 255, wrong checksum or lengths, multicast target.
 */
export function decodeNeighbourFrame(bytes: Uint8Array): NeighbourFrame | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (buffer.length < etherBytes + ipBytes + messageBytes || buffer.readUInt16BE(12) !== ETH_P_IPV6) return undefined
  if (buffer.readUInt8(14) >> 4 !== 6 || buffer.readUInt8(20) !== icmpv6 || buffer.readUInt8(21) !== 255)
    return undefined
  const length = buffer.readUInt16BE(18)
  const icmp = buffer.subarray(etherBytes + ipBytes, etherBytes + ipBytes + length)
  if (icmp.length !== length || length < messageBytes) return undefined
  const type = icmp.readUInt8(0)
  if ((type !== solicitation && type !== advertisement) || icmp.readUInt8(1) !== 0) return undefined
  if (checksum(buffer.subarray(22, 54), icmp) !== 0) return undefined
  if (icmp.readUInt8(8) === 0xff) return undefined
  const wanted = type === solicitation ? sourceLinkLayer : targetLinkLayer
  const options = readLinkLayer(icmp.subarray(messageBytes), wanted)
  if (options === undefined) return undefined
  const flags = icmp.readUInt8(4)
  return {
    etherDestination: renderMac(buffer.subarray(0, 6))!,
    etherSource: renderMac(buffer.subarray(6, 12))!,
    source: addressFromBytes(buffer.subarray(22, 38)),
    destination: addressFromBytes(buffer.subarray(38, 54)),
    target: addressFromBytes(icmp.subarray(8, 24)),
    message:
      type === solicitation
        ? { kind: 'solicitation', sourceMac: options.mac }
        : {
            kind: 'advertisement',
            targetMac: options.mac,
            router: (flags & 0x80) !== 0,
            solicited: (flags & 0x40) !== 0,
            override: (flags & 0x20) !== 0,
          },
  }
}

/** The link-layer address option of this type, if there is one; undefined when the options are broken. */
function readLinkLayer(options: Buffer, wanted: number): { mac: string | undefined } | undefined {
  let mac: string | undefined
  for (let at = 0; at < options.length; ) {
    if (at + 2 > options.length) return undefined
    const type = options.readUInt8(at)
    const length = options.readUInt8(at + 1) * 8
    if (length === 0 || at + length > options.length) return undefined
    if (type === wanted && length === optionBytes) mac ??= renderMac(options.subarray(at + 2, at + 8))
    at += length
  }
  return { mac }
}

/** The Internet checksum over pseudo-header and message (RFC 8200 section 8.1); over a message with a right checksum it is 0. */
function checksum(addresses: Buffer, message: Buffer): number {
  let sum = message.length + icmpv6
  for (let i = 0; i < addresses.length; i += 2) sum += addresses.readUInt16BE(i)
  for (let i = 0; i + 1 < message.length; i += 2) sum += message.readUInt16BE(i)
  if (message.length % 2 === 1) sum += message.readUInt8(message.length - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
