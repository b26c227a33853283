import type { AttributeWriter } from '../netlink/index.ts'
import type { Instruction } from './instruction.ts'
import { NFTA_LIST_ELEM, verdictCodes } from './kernel.ts'
import type { Verdict } from './language.ts'

/** The name and number under which the kernel knows an anonymous set of the batch. */
export interface SetReference {
  readonly name: string
  readonly id?: number
}

/** A register number: the four wide ones where words align, as nft names them, else the 32-bit ones (enum nft_registers). */
const register = (word: number) => (word % 4 === 0 ? 1 + word / 4 : 8 + word)

/** Writes one NFTA_LIST_ELEM with the expression's name and attributes (include/uapi/linux/netfilter/nf_tables.h). */
export function encodeInstruction(writer: AttributeWriter, instruction: Instruction, set?: SetReference): void {
  const item = writer.nest(NFTA_LIST_ELEM)
  writer.string(1, kernelName(instruction))
  const data = writer.nest(2)
  encodeAttributes(writer, instruction, set)
  writer.end(data)
  writer.end(item)
}

function kernelName({ op }: Instruction): string {
  if (op === 'set meta') return 'meta'
  if (op === 'set ct') return 'ct'
  return op === 'verdict' ? 'immediate' : op
}

function encodeAttributes(w: AttributeWriter, i: Instruction, set: SetReference | undefined): void {
  switch (i.op) {
    case 'payload':
      u32s(w, [1, register(i.into)], [2, i.base], [3, i.offset], [4, i.length])
      return
    case 'meta':
      u32s(w, [2, i.key], [1, register(i.into)])
      return
    case 'set meta':
      u32s(w, [2, i.key], [3, register(i.from)])
      return
    case 'ct':
      u32s(w, [2, i.key], [1, register(i.into)])
      if (i.direction !== undefined) w.u8(3, i.direction)
      return
    case 'set ct':
      u32s(w, [2, i.key], [4, register(i.from)])
      return
    case 'fib':
      u32s(w, [3, i.flags], [2, i.result], [1, register(i.into)])
      return
    case 'numgen':
      u32s(w, [1, register(i.into)], [2, i.modulus], [3, i.random ? 1 : 0], [4, 0])
      return
    case 'hash':
      u32s(w, [1, register(i.from)], [2, register(i.into)], [3, i.length], [4, i.modulus], [5, i.seed], [6, 0], [7, 0])
      return
    case 'bitwise':
      u32s(w, [1, register(i.register)], [2, register(i.register)], [6, 0], [3, i.mask.length])
      value(w, 4, i.mask)
      value(w, 5, i.xor)
      return
    case 'byteorder':
      u32s(w, [1, register(i.register)], [2, register(i.register)], [3, 1], [4, i.length], [5, i.size])
      return
    case 'cmp':
      u32s(w, [1, register(i.from)], [2, i.comparison])
      value(w, 3, i.data)
      return
    case 'range':
      u32s(w, [1, register(i.from)], [2, i.inverted ? 1 : 0])
      value(w, 3, i.low)
      value(w, 4, i.high)
      return
    case 'immediate':
      u32s(w, [1, register(i.into)])
      value(w, 2, i.data)
      return
    case 'verdict':
      u32s(w, [1, 0])
      encodeVerdict(w, 2, i.verdict)
      return
    case 'lookup':
    case 'dynset':
      encodeSetAttributes(w, i, set)
      return
    default:
      encodeAction(w, i)
      return
  }
}

function encodeSetAttributes(
  w: AttributeWriter,
  i: Extract<Instruction, { op: 'lookup' | 'dynset' }>,
  set: SetReference | undefined,
): void {
  if (i.op === 'dynset') {
    u32s(w, [4, register(i.key)], [3, i.update ? 1 : 0])
    if (i.timeoutMs !== undefined) w.u64be(6, BigInt(i.timeoutMs))
    w.string(1, i.set)
    return
  }
  u32s(w, [2, register(i.from)])
  if (i.into !== undefined) u32s(w, [3, i.into === 'verdict' ? 0 : register(i.into)])
  w.string(1, set?.name ?? (typeof i.set === 'string' ? i.set : i.set.shape.name))
  if (set?.id !== undefined) w.u32be(4, set.id)
  if (i.inverted) w.u32be(5, 1)
}

type Action = Exclude<
  Instruction,
  {
    op:
      | 'payload'
      | 'meta'
      | 'set meta'
      | 'ct'
      | 'set ct'
      | 'fib'
      | 'numgen'
      | 'hash'
      | 'bitwise'
      | 'byteorder'
      | 'cmp'
      | 'range'
      | 'immediate'
      | 'verdict'
      | 'lookup'
      | 'dynset'
  }
>

function encodeAction(w: AttributeWriter, i: Action): void {
  switch (i.op) {
    case 'nat':
      u32s(w, [1, i.type], [2, i.family], [3, register(i.address)])
      if (i.port !== undefined) u32s(w, [5, register(i.port)])
      if (i.lastPort !== undefined) u32s(w, [6, register(i.lastPort)])
      if (i.flags !== 0) u32s(w, [7, i.flags])
      return
    case 'masq':
      if (i.flags !== 0) u32s(w, [1, i.flags])
      return
    case 'reject':
      u32s(w, [1, i.type])
      w.u8(2, i.code)
      return
    case 'log':
      if (i.prefix !== '') w.string(2, i.prefix)
      if (i.group !== undefined) w.u16be(1, i.group)
      return
    case 'limit':
      w.u64be(1, BigInt(i.rate))
      w.u64be(2, BigInt(i.seconds))
      u32s(w, [3, i.burst], [4, i.bytes ? 1 : 0], [5, i.over ? 1 : 0])
      return
    case 'flow_offload':
      w.string(1, i.flowtable)
      return
    case 'counter':
    case 'notrack':
      return
    default:
      i satisfies never
  }
}

/** NFTA_DATA_VERDICT with its code and chain, inside an attribute of this type. */
export function encodeVerdict(writer: AttributeWriter, type: number, verdict: Verdict): void {
  const data = writer.nest(type)
  const nested = writer.nest(2)
  writer.u32be(1, verdictCodes[verdict.kind])
  if ('chain' in verdict) writer.string(2, verdict.chain)
  writer.end(nested)
  writer.end(data)
}

/** NFTA_DATA_VALUE inside an attribute of this type. */
export function value(writer: AttributeWriter, type: number, bytes: Uint8Array): void {
  const nested = writer.nest(type)
  writer.bytes(1, bytes)
  writer.end(nested)
}

function u32s(writer: AttributeWriter, ...pairs: readonly (readonly [type: number, value: number])[]): void {
  for (const [type, number] of pairs) writer.u32be(type, number)
}
