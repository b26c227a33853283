import dnsPacket from 'dns-packet'
import { type Address, findAddress } from '../addr/index.ts'
import type { IpPacket } from '../netlink/index.ts'
import { normalName } from '../policies/index.ts'

/** What an answer of DNS says of the name that was asked. */
export interface NamedAddresses {
  /** Lower case, without the last dot. */
  readonly asked: string
  readonly addresses: readonly { readonly address: Address; readonly ttlSeconds: number }[]
}

/** Aliases that are followed from the name that was asked. */
const maximumAliases = 16
/** RFC 1035 4.1.1: the low bits of the flags. */
const rcodeMask = 0xf

/**
 * Reads the addresses for the asked name from a packet of UDP, or of TCP with one whole message in it; undefined for whatever is no such
 * answer. Aliases are followed from the question on; records for other names teach nothing. An address lives as long as the shortest
 * record on the way to it.
 */
export function readAnswer(packet: IpPacket, bytes: Buffer): NamedAddresses | undefined {
  const message = messageOf(packet, bytes)
  const decoded = message && decode(message)
  if (decoded === undefined || decoded.type !== 'response' || ((decoded.flags ?? 0) & rcodeMask) !== 0) return undefined
  const [question, ...more] = decoded.questions ?? []
  if (question === undefined || more.length > 0) return undefined
  const records = decoded.answers ?? []
  const asked = normalName(question.name)
  const addresses = new Map<Address, number>()
  const seen = new Set<string>()
  let [name, ttl] = [asked, Number.POSITIVE_INFINITY]
  while (!seen.has(name) && seen.size <= maximumAliases) {
    seen.add(name)
    let next: { name: string; ttl: number } | undefined
    for (const record of records) {
      if (!('data' in record) || !('ttl' in record) || normalName(record.name) !== name) continue
      const own = Math.min(ttl, record.ttl ?? 0)
      if (record.type === 'CNAME') next = { name: normalName(record.data), ttl: own }
      else if (record.type === 'A' || record.type === 'AAAA') {
        const address = findAddress(record.data)
        if (address !== undefined) addresses.set(address, own)
      }
    }
    if (next === undefined) break
    name = next.name
    ttl = next.ttl
  }
  return { asked, addresses: [...addresses].map(([address, ttlSeconds]) => ({ address, ttlSeconds })) }
}

function messageOf({ protocol, transportStart }: IpPacket, bytes: Buffer): Buffer | undefined {
  if (protocol === 17) return bytes.subarray(transportStart + 8)
  if (protocol !== 6 || bytes.length < transportStart + 20) return undefined
  const start = transportStart + (bytes[transportStart + 12]! >> 4) * 4
  // RFC 1035 4.2.2: two bytes of length come first.
  if (bytes.length < start + 2 || bytes.readUInt16BE(start) !== bytes.length - start - 2) return undefined
  return bytes.subarray(start + 2)
}

function decode(message: Buffer): dnsPacket.DecodedPacket | undefined {
  try {
    return dnsPacket.decode(message)
  } catch {
    return undefined
  }
}
