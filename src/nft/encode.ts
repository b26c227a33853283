import {
  AttributeWriter,
  beginNetfilter,
  NFNL_SUBSYS_NFTABLES,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nfnetlinkType,
  writeBatchBegin,
  writeBatchEnd,
} from '../netlink/index.ts'
import { compileRule } from './compile.ts'
import { encodeElements } from './encode-elements.ts'
import { encodeInstruction, type SetReference } from './encode-instruction.ts'
import { commentTlv, encodeAnonymousSet, encodeSet } from './encode-set.ts'
import type { AnonymousSet, Instruction } from './instruction.ts'
import { familyNumbers, hookNumber, messages, NFTA_DEVICE_NAME } from './kernel.ts'
import type { Flowtable, Operation, TableFamily, Transaction } from './language.ts'
import { mergeRanges } from './merge-ranges.ts'
import { shapeOf } from './set-shape.ts'

/** What one message of a batch carries. */
export interface MessageSource {
  /** Index into the transaction. */
  readonly operation: number
  /** For element messages: the index of the first element in it, and how many there are. */
  readonly firstElement?: number
  readonly elementCount?: number
}

/** A transaction as bytes for one `send`. */
export interface EncodedTransaction {
  /** BATCH_BEGIN … BATCH_END; empty for an empty transaction. */
  readonly bytes: Buffer
  readonly firstSequence: number
  /** By sequence number minus `firstSequence`; undefined for BATCH_BEGIN and BATCH_END. The last of them asks for an acknowledgement. */
  readonly sources: readonly (MessageSource | undefined)[]
}

/** The state of one encoding. */
interface Batch {
  readonly writer: AttributeWriter
  readonly sources: (MessageSource | undefined)[]
  readonly firstSequence: number
  nextSetId: number
  /** Offset of the last message, which is asked for an acknowledgement. */
  last: number
}

/**
 * One nfnetlink batch (include/uapi/linux/netfilter/nf_tables.h) that does the whole transaction or nothing. Throws a
 * TypeError that names the operation when something in it cannot be said in nft 1.0.6.
 */
export function encodeTransaction(transaction: Transaction, firstSequence = 1): EncodedTransaction {
  if (transaction.length === 0) return { bytes: Buffer.alloc(0), firstSequence, sources: [] }
  const writer = new AttributeWriter(estimate(transaction))
  const batch: Batch = { writer, sources: [undefined], firstSequence, nextSetId: 1, last: 0 }
  writeBatchBegin(writer, firstSequence)
  for (const [index, operation] of transaction.entries()) encodeOperation(batch, index, operation)
  const flagsAt = batch.last + 6
  if (batch.last > 0) writer.view.writeUInt16LE(writer.view.readUInt16LE(flagsAt) | NLM_F_ACK, flagsAt)
  else return { bytes: Buffer.alloc(0), firstSequence, sources: [] }
  writeBatchEnd(writer, firstSequence + batch.sources.length)
  batch.sources.push(undefined)
  return { bytes: writer.result(), firstSequence, sources: batch.sources }
}

/** What the message with this sequence number carries, if it is one of the transaction's. */
export function findSource(encoded: EncodedTransaction, sequence: number): MessageSource | undefined {
  return encoded.sources[sequence - encoded.firstSequence]
}

/** Growing a buffer of megabytes by doubling copies it again and again. */
function estimate(transaction: Transaction): number {
  let size = 4096
  for (const operation of transaction) {
    if ('elements' in operation) size += operation.elements.length * (40 + 2 * shapeOf(operation.set).keySize)
    else size += 256
  }
  return size
}

function encodeOperation(batch: Batch, index: number, operation: Operation): void {
  const { family, table } = operation
  const source = { operation: index }
  const simple = (message: number, flags: number, fill?: () => void) => {
    const start = begin(batch, message, flags, family, table)
    fill?.()
    end(batch, start, source)
  }
  const { writer } = batch
  switch (operation.kind) {
    case 'add-table':
      simple(messages.newTable, NLM_F_CREATE, () => {
        writer.u32be(2, 0)
        if (operation.comment !== undefined) writer.bytes(6, commentTlv(0, operation.comment))
      })
      return
    case 'destroy-table':
      // Before Linux 6.3 there is no "destroy"; adding first makes deleting safe.
      simple(messages.newTable, NLM_F_CREATE, () => writer.u32be(2, 0))
      simple(messages.deleteTable, 0)
      return
    case 'delete-table':
      simple(messages.deleteTable, 0)
      return
    case 'add-chain':
      simple(messages.newChain, NLM_F_CREATE, () => encodeChain(writer, operation))
      return
    case 'delete-chain':
      simple(messages.deleteChain, 0, () => writer.string(3, operation.chain))
      return
    case 'flush-chain':
      simple(messages.deleteRule, 0, () => writer.string(2, operation.chain))
      return
    case 'add-rule':
      encodeRule(batch, operation, source)
      return
    case 'add-set':
      simple(messages.newSet, NLM_F_CREATE, () => encodeSet(writer, operation.set, batch.nextSetId++))
      return
    case 'add-flowtable':
      for (const part of devicesByMessage(operation.flowtable)) {
        simple(messages.newFlowtable, NLM_F_CREATE, () => encodeFlowtable(writer, part))
      }
      return
    case 'delete-set':
      simple(messages.deleteSet, 0, () => writer.string(2, operation.set))
      return
    case 'flush-set':
      simple(messages.deleteElements, 0, () => writer.string(2, operation.set))
      return
    case 'add-elements':
    case 'delete-elements':
      encodeSetElements(batch, operation, index)
      return
    default:
      operation satisfies never
  }
}

function begin(batch: Batch, message: number, flags: number, family: TableFamily, table: string): number {
  const { writer } = batch
  const start = beginNetfilter(
    writer,
    nfnetlinkType(NFNL_SUBSYS_NFTABLES, message),
    NLM_F_REQUEST | flags,
    batch.firstSequence + batch.sources.length,
    familyNumbers[family],
  )
  writer.string(1, table)
  return start
}

function end(batch: Batch, start: number, source: MessageSource): void {
  batch.writer.endMessage(start)
  batch.sources.push(source)
  batch.last = start
}

function encodeChain(writer: AttributeWriter, operation: Extract<Operation, { kind: 'add-chain' }>): void {
  const { chain, family } = operation
  writer.string(3, chain.name)
  if (chain.hook !== undefined) {
    const { type, hook, priority, policy } = chain.hook
    writer.string(7, type)
    writer.u32be(5, policy === 'accept' ? 1 : 0)
    const nested = writer.nest(4)
    writer.u32be(1, hookNumber(family, hook))
    writer.u32be(2, priority)
    writer.end(nested)
  }
  if (chain.comment !== undefined) writer.bytes(12, commentTlv(0, chain.comment))
}

/** NFT_NETDEVICE_MAX: as many as one message may name; the next ones add theirs. */
const maxDevices = 256

function devicesByMessage(flowtable: Flowtable): readonly Flowtable[] {
  const { devices } = flowtable
  const count = Math.max(1, Math.ceil(devices.length / maxDevices))
  return Array.from({ length: count }, (_, i) => ({
    ...flowtable,
    devices: devices.slice(i * maxDevices, (i + 1) * maxDevices),
  }))
}

/** NFT_FLOWTABLE_COUNTER of enum nft_flowtable_flags. */
const countsFlows = 2

function encodeFlowtable(writer: AttributeWriter, { name, priority, devices, counter }: Flowtable): void {
  writer.string(2, name)
  const hook = writer.nest(3)
  // NF_NETDEV_INGRESS
  writer.u32be(1, 0)
  writer.u32be(2, priority)
  const list = writer.nest(3)
  for (const device of devices) writer.string(NFTA_DEVICE_NAME, device)
  writer.end(list)
  writer.end(hook)
  writer.u32be(7, counter ? countsFlows : 0)
}

function encodeSetElements(
  batch: Batch,
  operation: Extract<Operation, { kind: 'add-elements' | 'delete-elements' }>,
  index: number,
): void {
  const { family, table, set, elements } = operation
  const deleting = operation.kind === 'delete-elements'
  const [message, flags] = deleting ? [messages.deleteElements, 0] : [messages.newElements, NLM_F_CREATE]
  encodeElements(batch.writer, shapeOf(set), elements, deleting, {
    begin() {
      const start = begin(batch, message, flags, family, table)
      batch.writer.string(2, set.name)
      return start
    },
    end: (start, firstElement, elementCount) => end(batch, start, { operation: index, firstElement, elementCount }),
  })
}

function encodeRule(batch: Batch, operation: Extract<Operation, { kind: 'add-rule' }>, source: MessageSource): void {
  const { family, table, chain, rule } = operation
  const { writer } = batch
  const program = compileRule(family, rule)
  const references = new Map<Instruction, SetReference>()
  for (const instruction of program) {
    if (instruction.op !== 'lookup' || typeof instruction.set === 'string') continue
    references.set(instruction, encodeRuleSet(batch, operation, instruction.set, source))
  }
  const start = begin(batch, messages.newRule, NLM_F_CREATE | NLM_F_APPEND, family, table)
  writer.string(2, chain)
  const list = writer.nest(4)
  for (const instruction of program) encodeInstruction(writer, instruction, references.get(instruction))
  writer.end(list)
  if (rule.comment !== undefined) writer.bytes(7, commentTlv(0, rule.comment))
  end(batch, start, source)
}

/** The set goes before its rule, which names it by its number in the batch. */
function encodeRuleSet(
  batch: Batch,
  { family, table }: Extract<Operation, { kind: 'add-rule' }>,
  { shape, elements }: AnonymousSet,
  source: MessageSource,
): SetReference {
  const { writer } = batch
  const reference = { name: shape.name, id: batch.nextSetId++ }
  const merged =
    shape.interval && shape.value === undefined && shape.key.length === 1 ? mergeRanges(shape, elements) : elements
  const start = begin(batch, messages.newSet, NLM_F_CREATE, family, table)
  encodeAnonymousSet(writer, shape, reference.id, merged.length * (shape.interval ? 2 : 1))
  end(batch, start, source)
  encodeElements(writer, shape, merged, false, {
    begin() {
      const message = begin(batch, messages.newElements, NLM_F_CREATE, family, table)
      writer.string(2, shape.name)
      writer.u32be(4, reference.id)
      return message
    },
    end: (message) => end(batch, message, source),
  })
  return reference
}
