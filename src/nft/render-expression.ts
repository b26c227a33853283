import { partTypes, payloadFields } from './fields.ts'
import type { Expression } from './language.ts'
import { parseRange, renderRange } from './value-text.ts'
import { type ValueType, valueTypes } from './value-type.ts'

/** Renders an expression; `transport` is the protocol that the rule has matched, by which nft names `th` fields. */
export function renderExpression(expression: Expression, transport?: string): string {
  switch (expression.kind) {
    case 'payload':
      return renderField(expression.field, transport)
    case 'meta':
      // nft leaves out the word for the keys that had none at first.
      return expression.key === 'iifname' || expression.key === 'oifname' ? expression.key : `meta ${expression.key}`
    case 'ct':
      return 'direction' in expression ? `ct ${expression.direction} ${expression.key}` : `ct ${expression.key}`
    case 'fib':
      return `fib ${expression.of.join(' . ')} ${expression.result}`
    case 'numgen':
      return `numgen ${expression.mode} mod ${expression.modulus}`
    case 'jhash': {
      const of = expression.of.map((part) => renderExpression(part, transport)).join(' . ')
      return `jhash ${of} mod ${expression.modulus} seed 0x${(expression.seed >>> 0).toString(16)}`
    }
    case 'concat':
      return expression.of.map((part) => renderExpression(part, transport)).join(' . ')
    case 'constant':
      return expression.text
    case 'lookup':
      return `${renderExpression(expression.key, transport)} map @${expression.map}`
    case 'bitwise':
      return renderBitwise(expression, transport)
    default:
      return expression satisfies never
  }
}

const transports = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite'])

function renderField(field: Extract<Expression, { kind: 'payload' }>['field'], transport: string | undefined): string {
  return field.startsWith('th ') && transport !== undefined && transports.has(transport)
    ? field.replace('th', transport)
    : field
}

/** `(x & mask) ^ xor` in the fewest of nft's operators: bits that xor sets outside the mask are an `|`. */
function renderBitwise(expression: Extract<Expression, { kind: 'bitwise' }>, transport: string | undefined): string {
  const [type] = partTypes(expression.of)
  if (type === undefined) return ''
  const full = type.size === 4 ? 0xffffffff : 2 ** (8 * type.size) - 1
  const mask = (expression.mask & full) >>> 0
  const xor = (expression.xor & full) >>> 0
  const set = (xor & ~mask) >>> 0
  const keep = (mask | set) >>> 0
  const flip = (xor & mask) >>> 0
  let text = renderExpression(expression.of, transport)
  if (keep !== full) text += ` & ${renderMask(type, keep)}`
  if (flip !== 0) text += ` ^ ${renderMask(type, flip)}`
  if (set !== 0) text += ` | ${renderMask(type, set)}`
  return text
}

function renderMask(type: ValueType, mask: number): string {
  const bytes = new Uint8Array(type.size)
  for (let i = 0; i < type.size; i++) bytes[type.order === 'network' ? type.size - 1 - i : i] = mask >>> (8 * i)
  const text = type.read(bytes, 0)
  return text.includes(',') ? `(${text.replaceAll(',', ' | ')})` : text
}

/** A constant of this type in nft's own spelling: canonical addresses, words for numbers, hexadecimal marks. */
export function renderConstant(type: ValueType, text: string): string {
  const wildcard = type.name === 'ifname' ? /^"?([^"*]+\*)"?$/.exec(text)?.[1] : undefined
  if (wildcard !== undefined) return `"${wildcard}"`
  const { low, high, prefixLength } = parseRange(type, text)
  // A range that happens to be a prefix stays the range that was asked for.
  if (prefixLength === undefined && low !== high) return `${type.read(low, 0)}-${type.read(high, 0)}`
  return renderRange(type, low, high)
}

/** Whether the expression reads the header that a match of the transport protocol makes known. */
export function readsTransport(expression: Expression): boolean {
  return reads(expression, (field) => payloadFields[field].base === 2)
}

/** Whether the expression reads the network header. */
export function readsNetwork(expression: Expression): boolean {
  return reads(expression, (field) => payloadFields[field].base === 1)
}

function reads(
  expression: Expression,
  test: (field: Extract<Expression, { kind: 'payload' }>['field']) => boolean,
): boolean {
  switch (expression.kind) {
    case 'payload':
      return test(expression.field)
    case 'concat':
    case 'jhash':
      return expression.of.some((part) => reads(part, test))
    case 'bitwise':
      return reads(expression.of, test)
    case 'lookup':
      return reads(expression.key, test)
    default:
      return false
  }
}

/** The protocol that a match of `meta l4proto` or `ip protocol` with this text asks for. */
export function protocolName(text: string): string {
  const bytes = new Uint8Array(1)
  valueTypes.inet_proto.write(text, 0, text.length, bytes, 0)
  return valueTypes.inet_proto.read(bytes, 0)
}
