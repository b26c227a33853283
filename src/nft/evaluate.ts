import type { Address } from '../addr/index.ts'
import type { FakeSet } from './fake-set.ts'
import { partTypes } from './fields.ts'
import type { Expression } from './language.ts'
import type { Packet, Surroundings, Tuple } from './packet.ts'
import { canonicalValue } from './render-elements.ts'
import { valueBytes } from './value-text.ts'
import type { ValueType } from './value-type.ts'

/** What evaluating needs to know. */
export interface Scene {
  readonly packet: Packet
  readonly surroundings: Surroundings
  readonly findSet: (name: string) => FakeSet
}

/**
 * The parts of an expression's value in nft text, or undefined when the packet has no such thing or a lookup finds nothing,
 * upon which the kernel leaves the rule (NFT_BREAK).
 */
export function evaluate(scene: Scene, expression: Expression): readonly string[] | undefined {
  switch (expression.kind) {
    case 'payload':
      return single(readPayload(scene.packet, expression.field))
    case 'meta':
      return single(readMeta(scene.packet, expression.key))
    case 'ct':
      return single(readConntrack(scene.packet, expression))
    case 'fib':
      return single(readRoute(scene, expression))
    case 'numgen':
    case 'jhash':
      return [String(scene.surroundings.choose?.(expression.modulus, expression) ?? 0)]
    case 'concat': {
      const parts = expression.of.map((part) => evaluate(scene, part))
      return parts.includes(undefined) ? undefined : parts.flatMap((part) => part ?? [])
    }
    case 'constant':
      return [expression.text]
    case 'lookup': {
      const key = evaluate(scene, expression.key)
      if (key === undefined) return undefined
      const set = scene.findSet(expression.map)
      const value = set.find(key.join(' . '))?.value
      return value === undefined ? undefined : canonicalValue(set.shape, value).split(' . ')
    }
    case 'bitwise':
      return evaluateBitwise(scene, expression)
    default:
      return expression satisfies never
  }
}

function single(text: string | undefined): readonly string[] | undefined {
  return text === undefined ? undefined : [text]
}

function evaluateBitwise(
  scene: Scene,
  expression: Extract<Expression, { kind: 'bitwise' }>,
): readonly string[] | undefined {
  const inner = evaluate(scene, expression.of)?.[0]
  const [type] = partTypes(expression.of)
  if (inner === undefined || type === undefined) return undefined
  const number = toNumber(type, inner)
  const result = ((number & expression.mask) ^ expression.xor) >>> 0
  const bytes = new Uint8Array(type.size)
  for (let i = 0; i < type.size; i++) bytes[type.order === 'network' ? type.size - 1 - i : i] = result >>> (8 * i)
  return [type.read(bytes, 0)]
}

/** A value of at most 32 bits as a number. */
export function toNumber(type: ValueType, text: string): number {
  const bytes = valueBytes(type, text)
  return bytes.reduce((sum, byte, i) => sum + byte * 2 ** (8 * (type.order === 'network' ? type.size - 1 - i : i)), 0)
}

function readPayload(packet: Packet, field: Extract<Expression, { kind: 'payload' }>['field']): string | undefined {
  const v4 = packet.family === 4
  const port = (number: number | undefined) => (number === undefined ? undefined : String(number))
  switch (field) {
    case 'ip saddr':
      return v4 ? packet.source : undefined
    case 'ip daddr':
      return v4 ? packet.destination : undefined
    case 'ip protocol':
      return v4 ? packet.protocol : undefined
    case 'ip6 saddr':
      return v4 ? undefined : packet.source
    case 'ip6 daddr':
      return v4 ? undefined : packet.destination
    case 'th sport':
      return port(packet.sourcePort)
    case 'th dport':
      return port(packet.destinationPort)
    case 'tcp flags':
      return packet.protocol === 'tcp' ? packet.tcpFlags : undefined
    case 'icmp type':
      return packet.protocol === 'icmp' ? packet.icmpType : undefined
    case 'icmpv6 type':
      return packet.protocol === 'ipv6-icmp' ? packet.icmpType : undefined
    case 'ether saddr':
      return packet.etherSource
    case 'ether daddr':
      return packet.etherDestination
    case 'icmp id':
    case 'icmpv6 id':
    case '@th,136,8':
    case '@th,224,16':
    case '@th,256,16':
    case '@th,112,8':
    case '@th,384,16':
    case '@th,416,16':
    case 'arp operation':
    case 'arp saddr ip':
    case 'arp daddr ip':
      return undefined
    default:
      return field satisfies never
  }
}

const mark = (value: number | undefined) => `0x${(value ?? 0).toString(16).padStart(8, '0')}`

function readMeta(packet: Packet, key: Extract<Expression, { kind: 'meta' }>['key']): string | undefined {
  // A packet that has not come in, or has no way out yet, has an empty name there (nft_meta_store_ifname).
  const quoted = (name = '') => `"${name}"`
  switch (key) {
    case 'l4proto':
      return packet.protocol
    case 'iifname':
      return quoted(packet.inputInterface)
    case 'oifname':
      return quoted(packet.outputInterface)
    case 'mark':
      return mark(packet.mark)
    case 'priority':
      return packet.priority ?? 'none'
    case 'nfproto':
      return packet.family === 4 ? 'ipv4' : 'ipv6'
    case 'pkttype':
      return packet.packetType ?? 'host'
    case 'skuid':
      return packet.socketUid === undefined ? undefined : String(packet.socketUid)
    default:
      return key satisfies never
  }
}

function readConntrack(packet: Packet, expression: Extract<Expression, { kind: 'ct' }>): string | undefined {
  const { conntrack } = packet
  if (expression.key === 'state') return conntrack.state
  // Without a connection the kernel leaves the rule.
  if (conntrack.state === 'invalid' || conntrack.state === 'untracked') return undefined
  if ('direction' in expression) return readTuple(packet, expression)
  switch (expression.key) {
    case 'status':
      return conntrack.status === undefined || conntrack.status.length === 0 ? '0x0' : conntrack.status.join(',')
    case 'mark':
      return mark(conntrack.mark)
    case 'direction':
      return conntrack.direction ?? 'original'
    case 'packets':
      return String(conntrack.packets ?? 0)
    default:
      return expression.key satisfies never
  }
}

function readTuple(
  packet: Packet,
  expression: Extract<Expression, { kind: 'ct'; direction: 'original' | 'reply' }>,
): string | undefined {
  const { conntrack } = packet
  const original = conntrack.original ?? packet
  const tuple = expression.direction === 'original' ? original : (conntrack.reply ?? invert(original))
  const port = (number: number | undefined) => (number === undefined ? undefined : String(number))
  const ofFamily = (family: 4 | 6, address: Address) => (packet.family === family ? address : undefined)
  switch (expression.key) {
    case 'ip saddr':
      return ofFamily(4, tuple.source)
    case 'ip daddr':
      return ofFamily(4, tuple.destination)
    case 'ip6 saddr':
      return ofFamily(6, tuple.source)
    case 'ip6 daddr':
      return ofFamily(6, tuple.destination)
    case 'proto-src':
      return port(tuple.sourcePort)
    case 'proto-dst':
      return port(tuple.destinationPort)
    default:
      return expression.key satisfies never
  }
}

/** The tuple of the answer. */
export function invert(tuple: Tuple): Tuple {
  const { source, destination, sourcePort, destinationPort } = tuple
  return {
    source: destination,
    destination: source,
    ...(destinationPort === undefined ? {} : { sourcePort: destinationPort }),
    ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }),
  }
}

function readRoute(
  { packet, surroundings }: Scene,
  { of, result }: Extract<Expression, { kind: 'fib' }>,
): string | undefined {
  const address = of.includes('saddr') ? packet.source : packet.destination
  if (result === 'type') return surroundings.addressType?.(address) ?? 'unicast'
  const link = surroundings.outputTo?.(address)
  // With `iif`, only a route by the interface that the packet came in by counts.
  const found = link !== undefined && (!of.includes('iif') || link === packet.inputInterface) ? link : undefined
  if (result === 'oifname') return found === undefined ? undefined : `"${found}"`
  return found === undefined ? 'missing' : 'exists'
}
