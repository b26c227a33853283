import { type Address, addressFromBytes, bytesOf } from '../addr/index.ts'
import { parseMac, renderMac } from './mac.ts'

/** EtherTypes (linux/if_ether.h). */
export const ETH_P_ARP = 0x0806
export const ETH_P_IPV6 = 0x86dd

export const broadcastMac = 'ff:ff:ff:ff:ff:ff'
export const zeroMac = '00:00:00:00:00:00'

const etherBytes = 14
const arpBytes = 28
/** Ethernet's shortest frame without its checksum; some switches drop shorter ones. */
const shortestFrame = 60

/** An Ethernet frame with an ARP packet for IPv4 (RFC 826). */
export interface ArpFrame {
  readonly etherSource: string
  readonly etherDestination: string
  readonly operation: 'request' | 'reply'
  readonly senderMac: string
  readonly sender: Address
  readonly targetMac: string
  readonly target: Address
}

/** The frame's bytes, padded to Ethernet's shortest. */
export function encodeArp(frame: ArpFrame): Buffer {
  const buffer = Buffer.alloc(shortestFrame)
  writeEther(buffer, frame.etherDestination, frame.etherSource, ETH_P_ARP)
  // Hardware type Ethernet, protocol type IPv4, address lengths.
  buffer.writeUInt16BE(1, 14)
  buffer.writeUInt16BE(0x0800, 16)
  buffer.writeUInt8(6, 18)
  buffer.writeUInt8(4, 19)
  buffer.writeUInt16BE(frame.operation === 'request' ? 1 : 2, 20)
  buffer.set(parseMac(frame.senderMac), 22)
  buffer.set(bytesOf(frame.sender), 28)
  buffer.set(parseMac(frame.targetMac), 32)
  buffer.set(bytesOf(frame.target), 38)
  return buffer
}

/** The inverse of `encodeArp`; undefined for whatever is no ARP request or reply for IPv4 over Ethernet. */
export function decodeArp(bytes: Uint8Array): ArpFrame | undefined {
  if (bytes.length < etherBytes + arpBytes) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (buffer.readUInt16BE(12) !== ETH_P_ARP) return undefined
  if (buffer.readUInt32BE(14) !== 0x00010800 || buffer.readUInt16BE(18) !== 0x0604) return undefined
  const operation = buffer.readUInt16BE(20)
  if (operation !== 1 && operation !== 2) return undefined
  return {
    etherDestination: renderMac(buffer.subarray(0, 6))!,
    etherSource: renderMac(buffer.subarray(6, 12))!,
    operation: operation === 1 ? 'request' : 'reply',
    senderMac: renderMac(buffer.subarray(22, 28))!,
    sender: addressFromBytes(buffer.subarray(28, 32)),
    targetMac: renderMac(buffer.subarray(32, 38))!,
    target: addressFromBytes(buffer.subarray(38, 42)),
  }
}

/** Ethernet's header: destination, source, type. */
export function writeEther(buffer: Buffer, destination: string, source: string, type: number): void {
  buffer.set(parseMac(destination), 0)
  buffer.set(parseMac(source), 6)
  buffer.writeUInt16BE(type, 12)
}
