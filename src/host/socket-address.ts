import { type Address, addressFromBytes, bytesOf, familyOf } from '../addr/index.ts'
import { AF_INET, AF_INET6 } from '../netlink/index.ts'

const AF_NETLINK = 16

/** sockaddr_in or sockaddr_in6 of an address and a port. */
export function encodeSocketAddress(address: Address, port: number): Buffer {
  const v6 = familyOf(address) === 6
  const buffer = Buffer.alloc(v6 ? 28 : 16)
  buffer.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0)
  buffer.writeUInt16BE(port, 2)
  buffer.set(bytesOf(address), v6 ? 8 : 4)
  return buffer
}

/** The inverse of `encodeSocketAddress`; reads as much as the family needs. */
export function decodeSocketAddress(buffer: Buffer): { address: Address; port: number } {
  const v6 = buffer.readUInt16LE(0) === AF_INET6
  return {
    address: addressFromBytes(v6 ? buffer.subarray(8, 24) : buffer.subarray(4, 8)),
    port: buffer.readUInt16BE(2),
  }
}

/** sockaddr_nl with the port chosen by the kernel and multicast groups as bits. */
export function encodeNetlinkAddress(groups = 0): Buffer {
  const buffer = Buffer.alloc(12)
  buffer.writeUInt16LE(AF_NETLINK, 0)
  buffer.writeUInt32LE(groups, 8)
  return buffer
}
