import { forEachAttribute, NFGENMSG_LEN, NLMSG_HDRLEN, readAttributes } from '../netlink/index.ts'
import { type EncodedTransaction, findSource, type MessageSource } from './encode.ts'
import { ELEMENT_INTERVAL_END } from './kernel.ts'

/**
 * What the kernel refused: narrows the message with this sequence number down to one element, when the answer says at
 * which offset of the message the fault lies (NLMSGERR_ATTR_OFFS).
 */
export function locateFailure(
  encoded: EncodedTransaction,
  sequence: number,
  offset?: number,
): MessageSource | undefined {
  const source = findSource(encoded, sequence)
  if (source?.firstElement === undefined || offset === undefined) return source
  const { bytes } = encoded
  let index = sequence - encoded.firstSequence
  let start = 0
  for (; index > 0; index--) start += (bytes.readUInt32LE(start) + 3) & ~3
  let element = -1
  forEachAttribute(bytes, start + NLMSG_HDRLEN + NFGENMSG_LEN, start + bytes.readUInt32LE(start), (type, from, to) => {
    if (type !== 3) return
    forEachAttribute(bytes, from, to, (_, itemStart, itemEnd) => {
      if (itemStart - 4 > start + offset) return
      const flags = readAttributes(bytes, itemStart, itemEnd).u32be(3) ?? 0
      if ((flags & ELEMENT_INTERVAL_END) === 0) element++
    })
  })
  return element < 0 ? source : { ...source, firstElement: source.firstElement + element, elementCount: 1 }
}
