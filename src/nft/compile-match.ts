import { anonymousSet, load, type RuleState } from './compile-load.ts'
import { fibFlags, isTransportKey, ownNetwork, partTypes } from './fields.ts'
import { comparisons, type Instruction } from './instruction.ts'
import type { Expression, Statement } from './language.ts'
import { findSoleRange } from './merge-ranges.ts'
import { maskByte, parseRange, type Range, valueBytes } from './value-text.ts'
import { type ValueType, valueTypes } from './value-type.ts'

type Match = Extract<Statement, { kind: 'match' }>

/** Emits the comparison of an expression with a constant, a named set or a set of constants. */
export function compileMatch(state: RuleState, match: Match): void {
  const { left, operator, right } = match
  if (typeof right === 'string') {
    compileConstant(state, left, operator, right)
    return
  }
  if (operator !== '==' && operator !== '!=') throw new TypeError(`"${operator}" takes no set`)
  const inverted = operator === '!='
  if ('set' in right) {
    load(state, left, 0)
    state.program.push({ op: 'lookup', from: 0, set: right.set, inverted })
    return
  }
  const only = findSoleRange(partTypes(left), right.of)
  if (only !== undefined) {
    compileConstant(state, left, operator, only)
    return
  }
  const types = load(state, left, 0)
  if (types[0]?.name === 'tcp_flag' || types[0]?.name === 'ct_status') refuseExactFlags(types[0])
  const set = anonymousSet(
    state,
    types,
    right.of.map((key) => ({ key })),
    undefined,
  )
  state.program.push({ op: 'lookup', from: 0, set, inverted })
}

function refuseExactFlags(type: ValueType): never {
  throw new TypeError(`${type.name} holds several flags at once: compare its bits under a mask`)
}

function compileConstant(state: RuleState, left: Expression, operator: Match['operator'], text: string): void {
  if (learn(state, left, operator, text)) return
  if (left.kind === 'concat') throw new TypeError('a concatenation is matched against a set')
  if (left.kind === 'fib' && (text === 'missing' || text === 'exists')) {
    matchPresence(state, left, operator, text)
    return
  }
  const [type] = load(state, left, 0)
  if (type === undefined) throw new TypeError('nothing to match')
  if (type.bitmask !== undefined && left.kind !== 'bitwise') {
    matchFlags(state, type, operator, text)
    return
  }
  const wildcard = /^"?([^"*]+)\*"?$/.exec(text)?.[1]
  if (type.name === 'ifname' && wildcard !== undefined) {
    matchPrefixOfName(state, operator, wildcard)
    return
  }
  const range = parseRange(type, text)
  if (range.low === range.high) {
    compare(state, type, operator, range.low)
    return
  }
  if (operator !== '==' && operator !== '!=') throw new TypeError(`"${operator} ${text}": compare with one value`)
  if (range.prefixLength !== undefined) {
    matchPrefix(state, type, operator, range, range.prefixLength)
    return
  }
  matchRange(state, type, operator, range)
}

/** Notes the protocols that the rule has asked for; true when the table knows the answer and nothing is to be emitted. */
function learn(state: RuleState, left: Expression, operator: string, text: string): boolean {
  if (operator !== '==') return false
  if (isTransportKey(left)) state.transport = valueTypes.inet_proto.read(valueBytes(valueTypes.inet_proto, text), 0)
  if (left.kind !== 'meta' || left.key !== 'nfproto') return false
  const own = ownNetwork(state.family)
  if (own !== undefined && own !== text) throw new TypeError(`meta nfproto ${text} in a table ${state.family}`)
  state.network = text
  // nft refuses to load this match into a table of one family.
  return own === text
}

function compare(state: RuleState, type: ValueType, operator: Match['operator'], data: Uint8Array): void {
  const ordered = operator !== '==' && operator !== '!='
  state.program.push(...(ordered ? swap(type) : []), {
    op: 'cmp',
    from: 0,
    comparison: comparisons[operator],
    data: ordered ? networkOrder(type, data) : data,
  })
}

/** The kernel compares registers byte by byte, so that an order among host-order values needs network order. */
function swap(type: ValueType): Instruction[] {
  return type.order === 'host' ? [{ op: 'byteorder', register: 0, length: type.size, size: type.size }] : []
}

function networkOrder(type: ValueType, data: Uint8Array): Uint8Array {
  return type.order === 'host' ? data.toReversed() : data
}

function matchFlags(state: RuleState, type: ValueType, operator: Match['operator'], text: string): void {
  const data = valueBytes(type, text)
  const xor = new Uint8Array(type.size)
  if (operator === '==') {
    state.program.push(
      { op: 'bitwise', register: 0, mask: data, xor },
      { op: 'cmp', from: 0, comparison: 1, data: xor },
    )
    return
  }
  if (operator !== '!=' || type.name !== 'ct_state' || text.includes(',')) refuseExactFlags(type)
  state.program.push({ op: 'cmp', from: 0, comparison: 1, data })
}

function matchPresence(
  state: RuleState,
  left: Extract<Expression, { kind: 'fib' }>,
  operator: Match['operator'],
  text: string,
): void {
  load(state, left, 0)
  const fib = state.program.at(-1)
  if (fib?.op === 'fib') fib.flags |= fibFlags.present
  // The kernel answers with 32 bits, of which nft compares all.
  compare(state, valueTypes.boolean, operator, Uint8Array.of(text === 'exists' ? 1 : 0, 0, 0, 0))
}

function matchPrefixOfName(state: RuleState, operator: Match['operator'], prefix: string): void {
  const data = valueBytes(valueTypes.ifname, prefix).subarray(0, prefix.length)
  state.program.push({ op: 'cmp', from: 0, comparison: comparisons[operator], data })
}

function matchPrefix(
  state: RuleState,
  type: ValueType,
  operator: '==' | '!=',
  { low }: Range,
  prefixLength: number,
): void {
  const { program } = state
  const comparison = comparisons[operator]
  const size = prefixLength / 8
  if (Number.isInteger(size) && size > 0) {
    // nft loads and compares the leading bytes alone, and prints that as a prefix.
    const loaded = program.at(-1)
    if (loaded?.op === 'payload') loaded.length = size
    program.push({ op: 'cmp', from: 0, comparison, data: low.subarray(0, size) })
    return
  }
  const mask = Uint8Array.from({ length: type.size }, (_, i) => maskByte(prefixLength, i))
  program.push(
    { op: 'bitwise', register: 0, mask, xor: new Uint8Array(type.size) },
    { op: 'cmp', from: 0, comparison, data: low },
  )
}

function matchRange(state: RuleState, type: ValueType, operator: '==' | '!=', { low, high }: Range): void {
  const { program } = state
  program.push(...swap(type))
  const from = networkOrder(type, low)
  const to = networkOrder(type, high)
  if (operator === '!=') {
    program.push({ op: 'range', from: 0, inverted: true, low: from, high: to })
    return
  }
  program.push(
    { op: 'cmp', from: 0, comparison: comparisons['>='], data: from },
    { op: 'cmp', from: 0, comparison: comparisons['<='], data: to },
  )
}
