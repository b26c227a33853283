import { addressFromBytes, bytesOf, type Family, type Prefix, prefixAddress, prefixLength } from '../addr/index.ts'
import type { AttributeWriter } from './attribute-writer.ts'
import { readAttributes } from './attributes.ts'
import type { Message } from './message.ts'
import { present } from './optional.ts'
import { addressFamily, findFamily } from './route-family.ts'

// include/uapi/linux/fib_rules.h
const FRA_DST = 1
const FRA_SRC = 2
const FRA_IIFNAME = 3
const FRA_PRIORITY = 6
const FRA_FWMARK = 10
const FRA_TABLE = 15
const FRA_FWMASK = 16
const FRA_PROTOCOL = 21
export const FR_ACT_TO_TBL = 1
const FIB_RULE_HDR_LEN = 12

/** A policy routing rule that sends matching packets to a table. */
export interface RuleMessage {
  readonly family: Family
  readonly priority: number
  readonly table: number
  /** FR_ACT_*. */
  readonly action: number
  readonly from?: Prefix
  readonly to?: Prefix
  readonly mark?: number
  readonly markMask?: number
  readonly inputInterface?: string
  /** RTPROT_*, the owner. */
  readonly protocol?: number
}

/** Writes the body of RTM_NEWRULE and RTM_DELRULE. */
export function writeRule(writer: AttributeWriter, rule: RuleMessage): void {
  const at = writer.reserve(FIB_RULE_HDR_LEN)
  const view = writer.view
  view[at] = addressFamily(rule.family)
  view[at + 1] = rule.to === undefined ? 0 : prefixLength(rule.to)
  view[at + 2] = rule.from === undefined ? 0 : prefixLength(rule.from)
  view[at + 4] = rule.table > 255 ? 0 : rule.table
  view[at + 7] = rule.action
  if (rule.to !== undefined) writer.bytes(FRA_DST, bytesOf(prefixAddress(rule.to)))
  if (rule.from !== undefined) writer.bytes(FRA_SRC, bytesOf(prefixAddress(rule.from)))
  if (rule.inputInterface !== undefined) writer.string(FRA_IIFNAME, rule.inputInterface)
  writer.u32(FRA_PRIORITY, rule.priority)
  if (rule.mark !== undefined) writer.u32(FRA_FWMARK, rule.mark)
  if (rule.markMask !== undefined) writer.u32(FRA_FWMASK, rule.markMask)
  writer.u32(FRA_TABLE, rule.table)
  if (rule.protocol !== undefined) writer.u8(FRA_PROTOCOL, rule.protocol)
}

/** Writes the body of an RTM_GETRULE dump of one family. */
export function writeRuleQuery(writer: AttributeWriter, family: Family): void {
  const at = writer.reserve(FIB_RULE_HDR_LEN)
  writer.view[at] = addressFamily(family)
}

/** Decodes the body of RTM_NEWRULE; undefined for families other than IP. */
export function decodeRule(message: Message): RuleMessage | undefined {
  const { buffer, start, end } = message
  const family = findFamily(buffer[start]!)
  if (family === undefined) return undefined
  const attributes = readAttributes(buffer, start + FIB_RULE_HDR_LEN, end)
  const prefix = (bytes: Uint8Array | undefined, length: number) =>
    bytes === undefined ? undefined : (`${addressFromBytes(bytes)}/${length}` as Prefix)
  return {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    table: attributes.u32(FRA_TABLE) ?? buffer[start + 4]!,
    action: buffer[start + 7]!,
    ...present('from', prefix(attributes.bytes(FRA_SRC), buffer[start + 2]!)),
    ...present('to', prefix(attributes.bytes(FRA_DST), buffer[start + 1]!)),
    ...present('mark', attributes.u32(FRA_FWMARK)),
    ...present('markMask', attributes.u32(FRA_FWMASK)),
    ...present('inputInterface', attributes.string(FRA_IIFNAME)),
    ...present('protocol', attributes.u8(FRA_PROTOCOL)),
  }
}
