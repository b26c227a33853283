import type { EncodedTransaction } from '../nft/index.ts'
import { errnoName } from './errno.ts'

/**
 * What an errno of nf_tables means where the kernel adds no words of its own. With the offset at fault
 * (NLMSGERR_ATTR_OFFS) it names the table, chain or set that the attribute there holds.
 */
export function explainRefusal(
  encoded: EncodedTransaction,
  sequence: number,
  errno: number,
  offset: number | undefined,
): string | undefined {
  const name = offset === undefined ? undefined : findName(encoded, sequence, offset)
  switch (errnoName(errno)) {
    case 'ENOENT':
      return name === undefined ? 'the table, chain, set or element is not there' : `there is no ${name}`
    case 'EBUSY':
      return `${name ?? 'it'} is still referenced by a rule or an element`
    case 'EEXIST':
      return `${name ?? 'it'} exists with other properties`
    case 'ENFILE':
    case 'ENOSPC':
      return 'the set is full: raise its size'
    case 'EOPNOTSUPP':
      return 'the kernel lacks nf_tables, or this expression or chain type'
    default:
      return undefined
  }
}

function findName(encoded: EncodedTransaction, sequence: number, offset: number): string | undefined {
  const { bytes } = encoded
  let start = 0
  for (let index = sequence - encoded.firstSequence; index > 0; index--) {
    start += (bytes.readUInt32LE(start) + 3) & ~3
  }
  const end = start + bytes.readUInt32LE(start)
  const at = start + offset
  if (at + 4 > end) return undefined
  const text = bytes.toString('latin1', at + 4, Math.min(end, at + bytes.readUInt16LE(at)))
  return /^[\w./-]+\0$/.test(text) ? text.slice(0, -1) : undefined
}
