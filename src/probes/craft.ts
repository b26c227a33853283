import { randomBytes } from 'node:crypto'
import type { Family } from '../addr/index.ts'

/** Bytes that begin something, and by which it is known again behind a translation. */
export interface Crafted {
  /** IANA's number of the protocol. */
  readonly protocol: number
  readonly bytes: Buffer
  /** The sender's own port, or the identifier of an echo, before any translation. */
  readonly port: number
  /** The content of an echo, in hex; the initiate tag of an INIT. */
  readonly mark: string
}

/** An echo request (RFC 792, RFC 4443 4.1) with 24 random bytes. */
export function craftEcho(family: Family): Crafted {
  const content = randomBytes(24)
  const port = 1 + (randomBytes(2).readUInt16BE() % 0xfffe)
  const bytes = Buffer.alloc(8 + content.length)
  bytes[0] = family === 4 ? 8 : 128
  bytes.writeUInt16BE(port, 4)
  bytes.writeUInt16BE(1, 6)
  bytes.set(content, 8)
  if (family === 4) bytes.writeUInt16BE(internetChecksum(bytes), 2)
  return { protocol: family === 4 ? 1 : 58, bytes, port, mark: content.toString('hex') }
}

/** The packet that begins an association of SCTP: a common header and INIT (RFC 9260, 3.1 and 3.3.2). */
export function craftInit(destinationPort: number): Crafted {
  const bytes = Buffer.alloc(32)
  const port = 32_768 + (randomBytes(2).readUInt16BE() % 28_000)
  const tag = randomBytes(4).readUInt32BE() | 1
  bytes.writeUInt16BE(port, 0)
  bytes.writeUInt16BE(destinationPort, 2)
  bytes[12] = 1
  bytes.writeUInt16BE(20, 14)
  bytes.writeUInt32BE(tag >>> 0, 16)
  // The smallest window that is allowed, one stream each way.
  bytes.writeUInt32BE(1500, 20)
  bytes.writeUInt16BE(1, 24)
  bytes.writeUInt16BE(1, 26)
  bytes.writeUInt32BE(randomBytes(4).readUInt32BE(), 28)
  bytes.writeUInt32LE(crc32c(bytes), 8)
  return { protocol: 132, bytes, port, mark: (tag >>> 0).toString(16).padStart(8, '0') }
}

/** RFC 1071. */
function internetChecksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}

/** Castagnoli's, bit by bit: RFC 9260, appendix A. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0x82f63b78)
  }
  return ~crc >>> 0
}
