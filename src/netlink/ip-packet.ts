import type { Address, Family } from '../addr/index.ts'
import { findBytes } from './optional.ts'

/** What a firewall asks of a packet. */
export interface IpPacket {
  readonly source: Address
  readonly destination: Address
  /** Assigned Internet protocol number of what the headers lead to. */
  readonly protocol: number
  /** Both for protocols that have ports, and not for later fragments. */
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** Where the transport header begins, in bytes. */
  readonly transportStart: number
}

/** TCP, UDP, DCCP, SCTP and UDP-Lite: source and destination port come first. */
const ported: ReadonlySet<number> = new Set([6, 17, 33, 132, 136])
/** RFC 8200: hop-by-hop, routing and destination options say their length in units of 8 bytes beyond the first. */
const options: ReadonlySet<number> = new Set([0, 43, 60])
const fragment = 44

/** Reads the headers of a packet from its first bytes; undefined when they are cut short or are no IP. */
export function decodeIpPacket(family: Family, bytes: Buffer): IpPacket | undefined {
  return family === 4 ? decodeV4(bytes) : decodeV6(bytes)
}

function decodeV4(bytes: Buffer): IpPacket | undefined {
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4) return undefined
  const offset = bytes.readUInt16BE(6) & 0x1fff
  return finish(bytes, { source: [12, 16], destination: [16, 20] }, bytes[9]!, (bytes[0]! & 15) * 4, offset)
}

function decodeV6(bytes: Buffer): IpPacket | undefined {
  if (bytes.length < 40 || bytes[0]! >> 4 !== 6) return undefined
  let next = bytes[6]!
  let at = 40
  let offset = 0
  // More headers than this are no packet that a pod's program sends.
  for (let count = 0; count < 8 && at + 8 <= bytes.length; count++) {
    if (next === fragment) {
      offset = bytes.readUInt16BE(at + 2) >> 3
      next = bytes[at]!
      at += 8
    } else if (options.has(next)) {
      next = bytes[at]!
      at += (bytes[at + 1]! + 1) * 8
    } else break
  }
  return finish(bytes, { source: [8, 24], destination: [24, 40] }, next, at, offset)
}

type Bounds = readonly [number, number]

function finish(
  bytes: Buffer,
  at: { readonly source: Bounds; readonly destination: Bounds },
  protocol: number,
  start: number,
  fragmentOffset: number,
): IpPacket | undefined {
  const source = findBytes(bytes.subarray(...at.source))
  const destination = findBytes(bytes.subarray(...at.destination))
  if (source === undefined || destination === undefined) return undefined
  const head = { source, destination, protocol, transportStart: start }
  if (fragmentOffset !== 0 || !ported.has(protocol) || bytes.length < start + 4) return head
  return { ...head, sourcePort: bytes.readUInt16BE(start), destinationPort: bytes.readUInt16BE(start + 2) }
}
