import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'

/** Length of nlmsghdr in bytes (include/uapi/linux/netlink.h). */
export const NLMSG_HDRLEN = 16

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const NLM_F_REQUEST = 0x01
export const NLM_F_ACK = 0x04
export const NLM_F_DUMP_INTR = 0x10
/** Modifiers of GET requests. */
const NLM_F_ROOT = 0x100
const NLM_F_MATCH = 0x200
export const NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH
/** Modifiers of NEW requests. */
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
/** Flags of NLMSG_ERROR: the request was cut off; attributes follow. */
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200

const NLMSGERR_ATTR_MSG = 1
const NLMSGERR_ATTR_OFFS = 2

/** One message inside a received buffer: its header, and the bounds of what follows the header. */
export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly portId: number
  readonly buffer: Buffer
  /** Offset of the first byte after nlmsghdr. */
  readonly start: number
  /** Offset after the last byte, without padding. */
  readonly end: number
}

/** What NLMSG_ERROR says: errno as a positive number, 0 for an acknowledgement. */
export interface Acknowledgement {
  readonly errno: number
  /** The type of the request that it answers. */
  readonly requestType: number
  /** The kernel's own words (extended acknowledgement). */
  readonly message?: string
  /** Offset in the request, from its nlmsghdr, of the attribute at fault. */
  readonly offset?: number
}

/** Splits received bytes into messages; ignores a truncated tail. */
export function* readMessages(buffer: Buffer, from = 0, to = buffer.length): Generator<Message> {
  let at = from
  while (at + NLMSG_HDRLEN <= to) {
    const size = buffer.readUInt32LE(at)
    if (size < NLMSG_HDRLEN || at + size > to) return
    yield {
      type: buffer.readUInt16LE(at + 4),
      flags: buffer.readUInt16LE(at + 6),
      sequence: buffer.readUInt32LE(at + 8),
      portId: buffer.readUInt32LE(at + 12),
      buffer,
      start: at + NLMSG_HDRLEN,
      end: at + size,
    }
    at += (size + 3) & ~3
  }
}

/** Decodes the body of NLMSG_ERROR, or of NLMSG_DONE, whose body is an errno and the same attributes. */
export function decodeAcknowledgement(message: Message): Acknowledgement {
  const { buffer, start, end, flags } = message
  if (end - start < 4) return { errno: 0, requestType: 0 }
  const errno = 0 - buffer.readInt32LE(start)
  if (message.type === NLMSG_DONE) {
    return { errno, requestType: 0, ...extended(message, start + 4) }
  }
  const requestType = end - start >= 12 ? buffer.readUInt16LE(start + 8) : 0
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, requestType }
  // Without NLM_F_CAPPED the whole request is echoed before the attributes.
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : (buffer.readUInt32LE(start + 4) + 3) & ~3
  return { errno, requestType, ...extended(message, start + 4 + echoed) }
}

function extended(message: Message, from: number): { message?: string; offset?: number } {
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return {}
  const attributes = readAttributes(message.buffer, from, message.end)
  const text = attributes.string(NLMSGERR_ATTR_MSG)
  const offset = attributes.u32(NLMSGERR_ATTR_OFFS)
  return { ...(text === undefined ? {} : { message: text }), ...(offset === undefined ? {} : { offset }) }
}

/** Writes an NLMSG_ERROR as the kernel does with NETLINK_CAP_ACK and NETLINK_EXT_ACK set: for fakes and tests. */
export function encodeAcknowledgement(
  writer: AttributeWriter,
  sequence: number,
  acknowledgement: Acknowledgement,
): void {
  const tlvs = acknowledgement.message !== undefined || acknowledgement.offset !== undefined
  const start = writer.beginMessage(NLMSG_ERROR, NLM_F_CAPPED | (tlvs ? NLM_F_ACK_TLVS : 0), sequence)
  const at = writer.reserve(4 + NLMSG_HDRLEN)
  writer.view.writeInt32LE(-acknowledgement.errno, at)
  writer.view.writeUInt32LE(NLMSG_HDRLEN, at + 4)
  writer.view.writeUInt16LE(acknowledgement.requestType, at + 8)
  writer.view.writeUInt32LE(sequence, at + 12)
  if (acknowledgement.message !== undefined) writer.string(NLMSGERR_ATTR_MSG, acknowledgement.message)
  if (acknowledgement.offset !== undefined) writer.u32(NLMSGERR_ATTR_OFFS, acknowledgement.offset)
  writer.endMessage(start)
}
