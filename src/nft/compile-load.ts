import {
  ctKeys,
  type FieldPlace,
  fibFlags,
  fibResults,
  META_IIFTYPE,
  META_PROTOCOL,
  metaKeys,
  ownNetwork,
  partTypes,
  payloadFields,
} from './fields.ts'
import type { AnonymousSet, Instruction } from './instruction.ts'
import type { Expression, TableFamily } from './language.ts'
import { makeShape, partsSize } from './set-shape.ts'
import { hasRanges, parseRange, valueBytes } from './value-text.ts'
import { networkOrdered, type ValueType, valueTypes } from './value-type.ts'

/** A rule being compiled: its program so far, and what is known of every packet that gets there. */
export interface RuleState {
  readonly family: TableFamily
  readonly program: Instruction[]
  network?: string
  transport?: string
  ethernet?: boolean
}

/** How many registers of 4 bytes `size` bytes take. */
export const words = (size: number) => (size + 3) >> 2

/** Emits what puts an expression into the registers from `into` on; gives the types of its parts. */
export function load(state: RuleState, expression: Expression, into: number): readonly ValueType[] {
  const { program } = state
  const types = partTypes(expression)
  const [type] = types
  if (type === undefined) throw new TypeError('an empty concatenation')
  // Checks come first: they use register 0, which the parts of a concatenation fill.
  requireFields(state, expression)
  switch (expression.kind) {
    case 'payload': {
      const { base, offset } = payloadFields[expression.field]
      program.push({ op: 'payload', into, base, offset, length: type.size })
      return types
    }
    case 'meta':
      program.push({ op: 'meta', key: metaKeys[expression.key].id, into })
      return types
    case 'ct':
      program.push({
        op: 'ct',
        key: ctKeys[expression.key].id,
        into,
        ...('direction' in expression ? { direction: expression.direction === 'original' ? 0 : 1 } : {}),
      })
      return types
    case 'fib': {
      const flags = expression.of.reduce((bits, flag) => bits | fibFlags[flag], 0)
      program.push({ op: 'fib', into, result: fibResults[expression.result].id, flags })
      return types
    }
    case 'numgen':
      program.push({ op: 'numgen', into, modulus: expression.modulus, random: expression.mode === 'random' })
      return types
    case 'jhash':
      return loadHash(state, expression, into)
    case 'concat':
      return loadConcat(state, expression.of, into)
    case 'bitwise': {
      load(state, expression.of, into)
      const mask = maskBytes(type, expression.mask)
      program.push({ op: 'bitwise', register: into, mask, xor: maskBytes(type, expression.xor) })
      return types
    }
    case 'constant':
    case 'lookup':
      throw new TypeError(`"${expression.kind}" cannot stand here`)
    default:
      return expression satisfies never
  }
}

function loadConcat(state: RuleState, parts: readonly Expression[], into: number): readonly ValueType[] {
  const types: ValueType[] = []
  let at = into
  for (const part of parts) {
    // The kernel takes these; nft 1.0.6 aborts when it lists them.
    if (part.kind === 'numgen' || part.kind === 'jhash') throw new TypeError(`${part.kind} inside a concatenation`)
    const loaded = load(state, part, at)
    types.push(...loaded)
    at += words(partsSize(loaded))
  }
  if (at > 16) throw new TypeError('a concatenation exceeds the 64 bytes of registers')
  return types
}

function loadHash(
  state: RuleState,
  expression: Extract<Expression, { kind: 'jhash' }>,
  into: number,
): readonly ValueType[] {
  const [first] = expression.of
  const source: Expression = expression.of.length === 1 && first ? first : { kind: 'concat', of: expression.of }
  // The source lies one wide register after the result, as nft has it.
  const from = into + 4
  const length = partsSize(load(state, source, from))
  const { modulus, seed } = expression
  state.program.push({ op: 'hash', from, into, length, modulus, seed })
  return [valueTypes.integer]
}

function maskBytes(type: ValueType, mask: number): Uint8Array {
  if (type.size > 4) throw new TypeError(`a mask of ${type.name} exceeds 32 bits`)
  const limited = type.size === 4 ? mask >>> 0 : mask & (2 ** (8 * type.size) - 1)
  const bytes = new Uint8Array(type.size)
  for (let i = 0; i < type.size; i++) bytes[type.order === 'network' ? type.size - 1 - i : i] = limited >>> (8 * i)
  return bytes
}

function requireFields(state: RuleState, expression: Expression): void {
  if (expression.kind === 'concat') for (const part of expression.of) requireFields(state, part)
  else if (expression.kind === 'bitwise') requireFields(state, expression.of)
  else if (expression.kind === 'payload') requirePlace(state, payloadFields[expression.field])
}

/** Emits the checks that a header is there, unless the rule has made them already. */
export function requirePlace(
  state: RuleState,
  place: Pick<FieldPlace, 'network' | 'transport'> & { base?: number },
): void {
  if (place.base === 0) requireEthernet(state)
  if (place.network !== undefined) requireNetwork(state, place.network)
  if (place.transport === undefined || state.transport === place.transport) return
  if (state.transport !== undefined)
    throw new TypeError(`a rule cannot match ${state.transport} and ${place.transport}`)
  state.transport = place.transport
  check(state, metaKeys.l4proto.id, valueBytes(valueTypes.inet_proto, place.transport))
}

function requireEthernet(state: RuleState): void {
  if (state.family === 'bridge' || state.family === 'netdev' || state.ethernet === true) return
  state.ethernet = true
  // ARPHRD_ETHER, 16 bits in host order.
  check(state, META_IIFTYPE, Uint8Array.of(1, 0))
}

const etherTypes = { ipv4: [0x08, 0x00], ipv6: [0x86, 0xdd], arp: [0x08, 0x06] } as const

function requireNetwork(state: RuleState, network: 'ipv4' | 'ipv6' | 'arp'): void {
  const known = ownNetwork(state.family) ?? state.network
  if (known === network) return
  if (known !== undefined) throw new TypeError(`a rule cannot match ${known} and ${network}`)
  state.network = network
  if (state.family !== 'inet') {
    check(state, META_PROTOCOL, Uint8Array.from(etherTypes[network]))
    return
  }
  if (network === 'arp') throw new TypeError('a table inet sees no ARP')
  check(state, metaKeys.nfproto.id, valueBytes(valueTypes.nfproto, network))
}

function check(state: RuleState, key: number, data: Uint8Array): void {
  state.program.push({ op: 'meta', key, into: 0 }, { op: 'cmp', from: 0, comparison: 0, data })
}

/** The set of constants that a rule holds; a set with ranges of host-order values looks up their network order. */
export function anonymousSet(
  state: RuleState,
  types: readonly ValueType[],
  elements: AnonymousSet['elements'],
  value: 'verdict' | undefined,
): AnonymousSet {
  if (elements.length === 0) throw new TypeError('an anonymous set is empty')
  const interval = hasRanges(
    types,
    elements.map(({ key }) => key),
  )
  const [only] = types
  if (interval && types.length > 1 && types.some((type) => type.order === 'host')) {
    throw new TypeError('a concatenation of ranges with a host-order part cannot be listed')
  }
  if (interval && types.length === 1 && only?.order === 'host') {
    state.program.push({ op: 'byteorder', register: 0, length: only.size, size: only.size })
  }
  const parts = interval ? types.map(networkOrdered) : types
  const shape = makeShape(value === undefined ? '__set%d' : '__map%d', parts, value, interval)
  // Ranges of one value are single values, and have no other text in a set without ranges.
  return { shape, elements: elements.map((element) => ({ ...element, key: singleKey(parts, element.key, interval) })) }
}

function singleKey(types: readonly ValueType[], key: string, interval: boolean): string {
  if (interval) return key
  const parts = key.split(' . ')
  return parts.map((part, i) => types[i]?.read(parseRange(types[i], part).low, 0) ?? part).join(' . ')
}
