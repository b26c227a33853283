import { type Address, bytesOf, familyOf } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import type { Message } from './message.ts'
import { findBytes } from './optional.ts'
import { addressFamily } from './route-family.ts'

// include/uapi/linux/if_addr.h
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
export const IFA_F_NODAD = 0x02
export const IFA_F_TENTATIVE = 0x40
const IFADDRMSG_LEN = 8

/** An address of a link. */
export interface AddressMessage {
  readonly address: Address
  readonly prefixLength: number
  readonly linkIndex: number
  /** IFA_F_*. */
  readonly flags: number
  /** RT_SCOPE_*; 0 is global. */
  readonly scope: number
}

/** Writes the body of RTM_NEWADDR and RTM_DELADDR. */
export function writeAddress(writer: AttributeWriter, address: AddressMessage): void {
  const at = writer.reserve(IFADDRMSG_LEN)
  const view = writer.view
  view[at] = addressFamily(familyOf(address.address))
  view[at + 1] = address.prefixLength
  view[at + 3] = address.scope
  view.writeUInt32LE(address.linkIndex, at + 4)
  const bytes = bytesOf(address.address)
  writer.bytes(IFA_LOCAL, bytes)
  writer.bytes(IFA_ADDRESS, bytes)
  writer.u32(IFA_FLAGS, address.flags)
}

/** Writes the body of an RTM_GETADDR dump. */
export function writeAddressQuery(writer: AttributeWriter): void {
  writer.reserve(IFADDRMSG_LEN)
}

/** Decodes the body of RTM_NEWADDR; undefined for families other than IP. */
export function decodeAddress(message: Message): AddressMessage | undefined {
  const { buffer, start, end } = message
  const attributes = readAttributes(buffer, start + IFADDRMSG_LEN, end)
  // IPv6 has IFA_LOCAL only on point-to-point addresses; IPv4 always.
  const address = findBytes(attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS))
  if (address === undefined) return undefined
  return {
    address,
    prefixLength: buffer[start + 1]!,
    linkIndex: buffer.readUInt32LE(start + 4),
    flags: attributes.u32(IFA_FLAGS) ?? buffer[start + 2]!,
    scope: buffer[start + 3]!,
  }
}
