import {
  AttributeWriter,
  beginNetfilter,
  type Message,
  NFGENMSG_LEN,
  NFNL_SUBSYS_NFTABLES,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  nfnetlinkType,
  readAttributes,
} from '../netlink/index.ts'
import { familyNumbers, messages } from './kernel.ts'
import type { TableFamily } from './language.ts'

/** A dump request for the elements of one set; its answers are for `decodeElements`. */
export function encodeElementsRequest(family: TableFamily, table: string, set: string, sequence: number): Buffer {
  return encodeDump(messages.getElements, familyNumbers[family], sequence, (writer) => {
    writer.string(1, table)
    writer.string(2, set)
  })
}

/** A dump request for the rules of one chain; its answers are for `decodeCounted`. */
export function encodeRulesRequest(family: TableFamily, table: string, chain: string, sequence: number): Buffer {
  return encodeDump(messages.getRule, familyNumbers[family], sequence, (writer) => {
    writer.string(1, table)
    writer.string(2, chain)
  })
}

/** How many packets the counters of a rule have seen (NFT_MSG_NEWRULE). */
export function decodeCounted({ buffer, start, end }: Message): number {
  const rule = readAttributes(buffer, start + NFGENMSG_LEN, end)
  const expressions = rule.list(4).map((item) => readAttributes(buffer, item.start, item.end))
  const counters = expressions.filter((one) => one.string(1) === 'counter')
  return counters.reduce((sum, one) => sum + Number(one.nested(2)?.u64be(2) ?? 0), 0)
}

/** A dump request for the tables of all families; its answers are for `decodeTable`. */
export function encodeTablesRequest(sequence: number): Buffer {
  return encodeDump(messages.getTable, 0, sequence, () => {})
}

function encodeDump(type: number, family: number, sequence: number, fill: (writer: AttributeWriter) => void): Buffer {
  const writer = new AttributeWriter()
  const start = beginNetfilter(
    writer,
    nfnetlinkType(NFNL_SUBSYS_NFTABLES, type),
    NLM_F_REQUEST | NLM_F_DUMP,
    sequence,
    family,
  )
  fill(writer)
  writer.endMessage(start)
  return writer.result()
}

/** The type of a request for the generation; `decodeGeneration` reads the answer. */
export const generationRequest = nfnetlinkType(NFNL_SUBSYS_NFTABLES, messages.getGeneration)

/** How many transactions the namespace has seen, modulo 2^32 and never 0 (NFTA_GEN_ID). */
export function decodeGeneration({ buffer, start, end }: Message): number | undefined {
  return readAttributes(buffer, start + NFGENMSG_LEN, end).u32be(1)
}

/** The table that an NFT_MSG_NEWTABLE message tells of; undefined for families that Plumb does not speak. */
export function decodeTable({ buffer, start, end }: Message): { family: TableFamily; name: string } | undefined {
  const families = Object.keys(familyNumbers) as TableFamily[]
  const family = families.find((word) => familyNumbers[word] === buffer[start])
  const name = readAttributes(buffer, start + NFGENMSG_LEN, end).string(1)
  return family === undefined || name === undefined ? undefined : { family, name }
}
