import { type Attributes, type Message, NFGENMSG_LEN, readAttributes } from '../netlink/index.ts'
import { readParts, renderKeyRange } from './element-key.ts'
import { ELEMENT_INTERVAL_END, verdictCodes } from './kernel.ts'
import type { Element, SetDeclaration, Verdict } from './language.ts'
import { type SetShape, shapeOf } from './set-shape.ts'
import { compareValues, predecessor } from './value-text.ts'

interface RawElement {
  readonly key: Buffer
  readonly keyEnd?: Buffer
  readonly ends: boolean
  readonly rest: Omit<Element, 'key'>
}

/** The elements that NFT_MSG_NEWSETELEM messages of one set carry, in nft text; start and end of an interval may lie in two messages. */
export function decodeElements(set: SetDeclaration, messages: Iterable<Message>): Element[] {
  const shape = shapeOf(set)
  const raw: RawElement[] = []
  for (const { buffer, start, end } of messages) {
    const attributes = readAttributes(buffer, start + NFGENMSG_LEN, end)
    for (const item of attributes.list(3)) {
      const element = decodeElement(shape, readAttributes(buffer, item.start, item.end))
      if (element !== undefined) raw.push(element)
    }
  }
  if (shape.interval && shape.key.length === 1) return decodeIntervals(shape, raw)
  return raw.map(({ key, keyEnd, rest }) => ({
    key: shape.interval ? renderKeyRange(shape, key, keyEnd ?? key) : readParts(shape.key, key, 0),
    ...rest,
  }))
}

function decodeElement(shape: SetShape, attributes: Attributes): RawElement | undefined {
  const key = attributes.nested(1)?.bytes(1)
  if (key === undefined || key.length < shape.keySize) return undefined
  const keyEnd = attributes.nested(10)?.bytes(1)
  const timeout = attributes.u64be(4)
  return {
    key,
    ...(keyEnd === undefined ? {} : { keyEnd }),
    ends: ((attributes.u32be(3) ?? 0) & ELEMENT_INTERVAL_END) !== 0,
    rest: {
      ...decodeValue(shape, attributes.nested(2)),
      ...decodeComment(attributes.bytes(6)),
      ...(timeout === undefined || timeout === 0n ? {} : { timeoutSeconds: Number(timeout) / 1000 }),
    },
  }
}

function decodeValue(shape: SetShape, data: Attributes | undefined): { value?: string } {
  if (data === undefined || shape.value === undefined) return {}
  if (shape.value !== 'verdict') {
    const bytes = data.bytes(1)
    return bytes === undefined || bytes.length < shape.valueSize ? {} : { value: readParts(shape.value, bytes, 0) }
  }
  const verdict = data.nested(2)
  const code = verdict?.u32be(1)
  if (code === undefined) return {}
  const kind = (Object.keys(verdictCodes) as Verdict['kind'][]).find((word) => verdictCodes[word] === (code | 0))
  const chain = verdict?.string(2)
  return { value: chain === undefined ? (kind ?? `verdict ${code}`) : `${kind} ${chain}` }
}

function decodeComment(userData: Buffer | undefined): { comment?: string } {
  for (let at = 0; userData !== undefined && at + 2 <= userData.length; at += 2 + userData[at + 1]!) {
    if (userData[at] === 0) return { comment: userData.toString('utf8', at + 2, at + 1 + userData[at + 1]!) }
  }
  return {}
}

/** Pairs each start with the end after it; the last interval may run to the highest value. */
function decodeIntervals(shape: SetShape, raw: RawElement[]): Element[] {
  const [type] = shape.key
  if (type === undefined) return []
  // An end at the value at which the next interval starts comes first.
  raw.sort((a, b) => compareValues(type, a.key, b.key) || Number(b.ends) - Number(a.ends))
  const elements: Element[] = []
  for (const [i, { key, ends, rest }] of raw.entries()) {
    if (ends) continue
    const next = raw[i + 1]
    const high = next === undefined ? new Uint8Array(type.size).fill(0xff) : predecessor(next.key)
    elements.push({ key: renderKeyRange(shape, key, high), ...rest })
  }
  return elements
}
