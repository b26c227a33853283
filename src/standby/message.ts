import { type Address, addressFromBytes, bytesOf } from '../addr/index.ts'
import { decodeFlows, encodeFlows, type Flow } from './flow.ts'

/** What nodes tell one another of flows. */
export type Message =
  /** A node that may be next: of these addresses it wants to know, and of no other any more. */
  | { readonly kind: 'follow'; readonly addresses: readonly Address[] }
  /** The holder: what follows up to `end` is everything that the address has. */
  | { readonly kind: 'begin' | 'end'; readonly address: Address }
  /** The holder: there are, or are again. */
  | { readonly kind: 'flows'; readonly flows: readonly Flow[] }
  | { readonly kind: 'gone'; readonly flows: readonly Flow[] }

const kinds = ['follow', 'begin', 'end', 'flows', 'gone'] as const
/** Flows that fit into one message, whatever their family. */
export const flowsPerMessage = 1000
/** Addresses that one node follows; as many as one can hold. */
const maximumAddresses = 900

/** A number for the kind, then addresses with their length in front of each, or flows. */
export function encodeMessage(message: Message): Buffer {
  const head = Buffer.from([kinds.indexOf(message.kind)])
  switch (message.kind) {
    case 'follow':
      return Buffer.concat([head, ...message.addresses.slice(0, maximumAddresses).map(withLength)])
    case 'begin':
    case 'end':
      return Buffer.concat([head, withLength(message.address)])
    case 'flows':
    case 'gone':
      return Buffer.concat([head, encodeFlows(message.flows)])
    default:
      return message satisfies never
  }
}

/** The inverse of `encodeMessage`; undefined for whatever has another shape. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  const kind = kinds[bytes[0] ?? kinds.length]
  const rest = bytes.subarray(1)
  if (kind === undefined) return undefined
  if (kind === 'flows' || kind === 'gone') {
    const flows = decodeFlows(rest)
    return flows && { kind, flows }
  }
  const addresses = readAddresses(rest)
  if (addresses === undefined) return undefined
  if (kind === 'follow') return { kind, addresses }
  const [address] = addresses
  return address === undefined || addresses.length > 1 ? undefined : { kind, address }
}

function withLength(address: Address): Buffer {
  const bytes = bytesOf(address)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

function readAddresses(bytes: Buffer): readonly Address[] | undefined {
  const addresses: Address[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0
    if ((length !== 4 && length !== 16) || at + 1 + length > bytes.length) return undefined
    addresses.push(addressFromBytes(bytes.subarray(at + 1, at + 1 + length)))
    if (addresses.length > maximumAddresses) return undefined
    at += 1 + length
  }
  return addresses
}
