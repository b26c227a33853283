import { createHash } from 'node:crypto'
import { type Address, disjoint, type Family, type Prefix, prefixFamily, renderPrefix } from '../addr/index.ts'
import type { Rule, Statement } from './language.ts'
import type { Bandwidth, PortRange, Scope } from './model.ts'
import { accept, drop, hex, is, meta, payload, words } from './words.ts'

/** How packets in scope go on: to a node by its mark, or nowhere. */
export function steerRules(family: Family, scope: Scope, way: { readonly mark: number } | 'drop'): readonly Rule[] {
  const last: Statement =
    way === 'drop' ? drop : { kind: 'set', target: 'meta mark', value: { kind: 'constant', text: hex(way.mark) } }
  return [...scopeRules(family, scope), { statements: [last] }]
}

/** Packets in scope leave under the Egress' own addresses or not at all, whatever became of their mark. */
export function guardRules(family: Family, scope: Scope, addresses: readonly Address[]): readonly Rule[] {
  const own: Rule[] =
    addresses.length === 0 ? [] : [{ statements: [is(payload(words[family].source), { of: addresses }), accept] }]
  return [...scopeRules(family, scope), ...own, { statements: [{ kind: 'counter' }, drop] }]
}

function scopeRules(family: Family, { excluded, destinations }: Scope): Rule[] {
  const destination = payload(words[family].destination)
  const ofFamily = (prefixes: readonly Prefix[]) =>
    disjoint(prefixes.filter((prefix) => prefixFamily(prefix) === family)).map(renderPrefix)
  const not = ofFamily(excluded)
  const only = destinations === undefined ? undefined : ofFamily(destinations)
  const whole = family === 4 ? '0.0.0.0/0' : '::/0'
  return [
    ...(not.includes(whole) ? [{ statements: [accept] }] : []),
    ...(not.length === 0 || not.includes(whole) ? [] : [{ statements: [is(destination, { of: not }), accept] }]),
    ...(only === undefined || only.includes(whole)
      ? []
      : [{ statements: [is(destination, { of: only }, '!='), accept] }]),
  ]
}

/** Other protocols have no ports by which answers would find their node: what is not translated here is stopped by the guard. */
export function translateRules(family: Family, address: Address, { first, last }: PortRange): readonly Rule[] {
  const target = family === 4 ? address : `[${address}]`
  return [
    {
      statements: [
        is(meta('l4proto'), { of: ['tcp', 'udp', 'sctp', words[family].icmp] }),
        {
          kind: 'snat',
          family,
          to: { kind: 'constant', text: `${target}:${first}-${last}` },
          withPort: true,
          flags: ['fully-random'],
        },
      ],
    },
  ]
}

export function limitRules({ rate, burst }: Bandwidth): readonly Rule[] {
  return [
    { statements: [{ kind: 'limit', of: 'bytes', over: true, rate, per: 'second', burst }, { kind: 'counter' }, drop] },
  ]
}

/**
 * The end of a chain's name for an Egress and one of its addresses. Names of objects have neither `_` nor upper case (RFC 1123) and long ones end in a
 * digest, and addresses are told from names by the `_`; colons, which nft's words cannot have, become `-`, which addresses do not have.
 */
export function chainSuffix(key: string, address: Address | undefined): string {
  const name =
    key.length <= 48 ? key : `${key.slice(0, 32)}_${createHash('sha256').update(key).digest('hex').slice(0, 12)}`
  return `${name}_${address?.replaceAll(':', '-') ?? 'none'}`
}
