import { type Address, offsetOf } from '../addr/index.ts'
import type { Element, Field, Value } from './ruleset.ts'

/** The first packet of a connection, as rules meet it. */
export interface Packet {
  readonly source: Address
  readonly destination: Address
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** Absent where any may be chosen. */
  readonly sourcePort?: number
  readonly destinationPort: number
  /** Links by name, where they are known. */
  readonly input?: string
  readonly output?: string
  readonly mark: number
  /** Whether its destination is another than it was sent to. */
  readonly translated: boolean
}

type Known = bigint | number | string

/** What a field of the packet is; undefined for what cannot be known. */
function known(packet: Packet, field: Field, isLocal: (address: Address) => boolean): Known | undefined {
  switch (field) {
    case 'source':
      return offsetOf(packet.source)
    case 'destination':
      return offsetOf(packet.destination)
    case 'protocol':
      return packet.protocol
    case 'source-port':
      return packet.sourcePort === undefined ? undefined : BigInt(packet.sourcePort)
    case 'destination-port':
      return BigInt(packet.destinationPort)
    case 'input':
      return packet.input
    case 'output':
      return packet.output
    case 'mark':
      return packet.mark
    case 'state':
      return 'new'
    case 'source-type':
      return isLocal(packet.source) ? 'local' : 'unicast'
    case 'destination-type':
      return isLocal(packet.destination) ? 'local' : 'unicast'
    case 'translated':
      return packet.translated ? 'dnat' : ''
    case 'unknown':
      return undefined
    default:
      return field satisfies never
  }
}

function holds(value: Value, found: Known): boolean {
  switch (value.kind) {
    case 'range': {
      const number = typeof found === 'string' ? undefined : BigInt(found)
      return number !== undefined && number >= value.from && number <= value.to
    }
    case 'word':
      return value.word.endsWith('*') ? String(found).startsWith(value.word.slice(0, -1)) : String(found) === value.word
    case 'bits':
      return typeof found === 'number' && (found & value.mask) >>> 0 === value.value >>> 0
    default:
      return value satisfies never
  }
}

const indexes = new WeakMap<readonly Element[], Map<string, Element> | undefined>()
const indexFrom = 16

/** Elements of one value each by their text; undefined where ranges are among them. */
function indexOf(elements: readonly Element[]): Map<string, Element> | undefined {
  if (elements.length < indexFrom) return undefined
  if (indexes.has(elements)) return indexes.get(elements)
  const index = new Map<string, Element>()
  for (const one of elements) {
    const words = one.key.map((value) =>
      value.kind === 'range' && value.from === value.to
        ? String(value.from)
        : value.kind === 'word' && !value.word.endsWith('*')
          ? value.word
          : undefined,
    )
    if (words.includes(undefined)) {
      indexes.set(elements, undefined)
      return undefined
    }
    index.set(words.join(' '), one)
  }
  indexes.set(elements, index)
  return index
}

/** The element that these fields of the packet meet; `maybe` where one of them cannot be known. */
export function findElement(
  elements: readonly Element[],
  fields: readonly Field[],
  packet: Packet,
  isLocal: (address: Address) => boolean,
): Element | 'maybe' | undefined {
  const values = fields.map((field) => known(packet, field, isLocal))
  if (values.includes(undefined)) return 'maybe'
  const index = indexOf(elements)
  if (index !== undefined) return index.get(values.join(' '))
  return elements.find(({ key }) => key.length === values.length && key.every((value, at) => holds(value, values[at]!)))
}
