import { findAddress } from '../addr/index.ts'
import type { Element, Field, Statement, Value, Verdict } from './ruleset.ts'
import { findAddresses, range, word } from './values.ts'

type Json = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const notes = new Set(['counter', 'log', 'set', 'ct helper', 'ct timeout', 'notrack', 'last'])
const simple = new Set(['accept', 'drop', 'return', 'continue'])

/** One statement of a rule in nft's JSON (libnftables-json(5)). */
export function parseStatement(json: unknown): Statement {
  const unknown: Statement = { kind: 'unknown', text: JSON.stringify(json)?.slice(0, 200) ?? '' }
  if (!isObject(json)) return unknown
  const [[name, body] = ['', undefined]] = Object.entries(json)
  const verdict = findVerdict(json)
  if (verdict !== undefined) return { kind: 'verdict', verdict }
  if (notes.has(name)) return { kind: 'note' }
  switch (name) {
    case 'match':
      return (isObject(body) ? parseMatch(body) : undefined) ?? unknown
    case 'vmap':
      return (isObject(body) ? parseLookUp(body) : undefined) ?? unknown
    case 'mangle':
      return (isObject(body) ? parseMangle(body) : undefined) ?? unknown
    case 'dnat':
    case 'redirect':
      return parseTranslation(body) ?? unknown
    case 'masquerade':
      return { kind: 'masquerade' }
    case 'snat': {
      const address = isObject(body) && typeof body.addr === 'string' ? findAddress(body.addr) : undefined
      return { kind: 'masquerade', ...(address === undefined ? {} : { address }) }
    }
    default:
      return unknown
  }
}

function findVerdict(json: Json): Verdict | undefined {
  const [[name, body] = ['', undefined]] = Object.entries(json)
  if (simple.has(name)) return { kind: name as 'accept' }
  if ((name === 'jump' || name === 'goto') && isObject(body)) return { kind: name, chain: String(body.target) }
  if (name !== 'reject') return undefined
  return {
    kind: 'reject',
    with: isObject(body) ? [body.type, body.expr].filter((one) => one !== undefined).join(' ') : '',
  }
}

const payloads: Readonly<Record<string, Field>> = {
  saddr: 'source',
  daddr: 'destination',
  sport: 'source-port',
  dport: 'destination-port',
  protocol: 'protocol',
  nexthdr: 'protocol',
}
const metas: Readonly<Record<string, Field>> = {
  l4proto: 'protocol',
  iifname: 'input',
  iif: 'input',
  oifname: 'output',
  oif: 'output',
  mark: 'mark',
}

function findField(json: unknown): Field | undefined {
  if (!isObject(json)) return undefined
  const { payload, meta, ct, fib } = json
  if (isObject(payload)) return payloads[String(payload.field)]
  if (isObject(meta)) return metas[String(meta.key)]
  if (isObject(ct)) return ct.key === 'state' ? 'state' : ct.key === 'status' ? 'translated' : undefined
  if (!isObject(fib) || fib.result !== 'type') return undefined
  const flags = [fib.flags].flat()
  return flags.includes('daddr') ? 'destination-type' : flags.includes('saddr') ? 'source-type' : undefined
}

function findFields(json: unknown): Field[] | undefined {
  const parts = isObject(json) && Array.isArray(json.concat) ? json.concat : [json]
  const fields = parts.map(findField)
  return fields.includes(undefined) ? undefined : (fields as Field[])
}

function parseMatch({ op, left, right }: Json): Statement | undefined {
  const not = op === '!='
  if (isObject(left) && Array.isArray(left['&'])) return parseBits(left['&'], right, not)
  const fields = findFields(left)
  const among = fields && findAmong(right)
  return fields === undefined || among === undefined ? undefined : { kind: 'match', fields, not, among }
}

/** `mark & MASK == VALUE`, and the flags of TCP, of which a first packet has SYN alone. */
function parseBits([left, mask]: readonly unknown[], right: unknown, not: boolean): Statement | undefined {
  if (findField(left) !== 'mark' || typeof mask !== 'number' || typeof right !== 'number') return undefined
  return { kind: 'match', fields: ['mark'], not, among: [{ key: [{ kind: 'bits', value: right, mask }] }] }
}

function findAmong(right: unknown): readonly Element[] | { readonly set: string } | undefined {
  if (typeof right === 'string' && right.startsWith('@')) return { set: right.slice(1) }
  if (isObject(right) && Array.isArray(right.set)) return parseElements(right.set)
  // Flags, as states of connections, are a bare list.
  return parseElements(Array.isArray(right) ? right : [right])
}

/** Elements of a set or of a map of verdicts; what is not understood is left out. */
export function parseElements(json: unknown): readonly Element[] {
  return (Array.isArray(json) ? json : []).flatMap((one): Element[] => {
    const [key, then] =
      Array.isArray(one) && isObject(one[1]) && findVerdict(one[1]) !== undefined
        ? [one[0], findVerdict(one[1])]
        : [one]
    const values = parseKey(isObject(key) && isObject(key.elem) ? key.elem.val : key)
    return values === undefined ? [] : [{ key: values, ...(then === undefined ? {} : { then }) }]
  })
}

function parseKey(json: unknown): Value[] | undefined {
  const parts = isObject(json) && Array.isArray(json.concat) ? json.concat : [json]
  const values = parts.map(parseValue)
  return values.includes(undefined) ? undefined : (values as Value[])
}

function parseValue(json: unknown): Value | undefined {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? range(BigInt(json), BigInt(json)) : undefined
  if (typeof json === 'string') return findAddresses(json) ?? word(json === 'ipv6-icmp' ? 'icmpv6' : json)
  if (!isObject(json)) return undefined
  const { prefix, range: ends } = json
  if (isObject(prefix)) return findAddresses(`${prefix.addr}/${prefix.len}`)
  if (!Array.isArray(ends)) return undefined
  const [from, to] = ends.map(parseValue)
  return from?.kind === 'range' && to?.kind === 'range' ? range(from.from, to.to) : undefined
}

function parseLookUp({ key, data }: Json): Statement | undefined {
  const among =
    typeof data === 'string' && data.startsWith('@')
      ? { set: data.slice(1) }
      : isObject(data)
        ? parseElements(data.set)
        : undefined
  if (among === undefined) return undefined
  if (isObject(key) && isObject(key.numgen) && !('set' in among))
    return { kind: 'choose', verdicts: among.flatMap(({ then }) => then ?? []) }
  const fields = findFields(key)
  return fields && { kind: 'look-up', fields, among }
}

/** `meta mark set mark or|xor|and N` and a plain number; other fields change no packet's way. */
function parseMangle({ key, value }: Json): Statement | undefined {
  if (findField(key) !== 'mark') return { kind: 'note' }
  if (typeof value === 'number') return { kind: 'mark', value, mask: 0xffffffff }
  if (!isObject(value)) return undefined
  const [[op, parts] = ['', undefined]] = Object.entries(value)
  const [left, number] = Array.isArray(parts) ? parts : []
  if (findField(left) !== 'mark' || typeof number !== 'number') return undefined
  if (op === '|') return { kind: 'mark', value: number, mask: number }
  if (op === '^') return { kind: 'mark', value: number, mask: 0 }
  return op === '&' ? { kind: 'mark', value: 0, mask: ~number >>> 0 } : undefined
}

function parseTranslation(body: unknown): Statement | undefined {
  if (body === null) return { kind: 'translate' }
  if (!isObject(body)) return undefined
  const { addr, port } = body
  const address = typeof addr === 'string' ? findAddress(addr) : undefined
  if (addr !== undefined && address === undefined) return undefined
  return {
    kind: 'translate',
    ...(address === undefined ? {} : { address }),
    ...(typeof port === 'number' ? { port } : {}),
  }
}
