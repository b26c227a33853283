import type { Family } from '../addr/index.ts'
import { isObject, parseElements, parseStatement } from './nft-statements.ts'
import type { Chain, Element, Hook, Rule, Ruleset } from './ruleset.ts'

const maxBytes = 256 << 20
const hooks = new Set<string>(['prerouting', 'input', 'forward', 'output', 'postrouting'])

interface Growing extends Omit<Chain, 'rules'> {
  readonly rules: Rule[]
}

/**
 * The rules of one family out of what `nft -j list ruleset` printed (libnftables-json(5)), tables of `inet` among them. `skip` tells
 * tables that are read elsewhere, as `filter` of iptables-nft. Total: what is not understood stays in the rule as `unknown`.
 */
export function parseNftJson(family: Family, text: string, skip: ReadonlySet<string> = new Set()): Ruleset {
  const chains = new Map<string, Growing>()
  const sets = new Map<string, readonly Element[]>()
  const nothing = (says: string): Ruleset => ({ family, chains, sets, unread: [says] })
  if (text.length > maxBytes) return nothing(`nft -j list ruleset is larger than ${maxBytes >> 20} MiB`)
  const objects = readObjects(text)
  if (objects === undefined) return nothing('what nft -j list ruleset printed is no JSON of nft')
  const mine = (one: Readonly<Record<string, unknown>>): boolean =>
    (one.family === (family === 4 ? 'ip' : 'ip6') || one.family === 'inet') && !skip.has(String(one.table))
  for (const object of objects) {
    const { chain, set, map, rule } = object
    const named = set ?? map
    if (isObject(chain) && mine(chain)) {
      const id = `${chain.table} ${chain.name}`
      chains.set(id, parseChain(chain))
    } else if (isObject(named) && mine(named)) {
      sets.set(`${named.table} ${named.name}`, parseElements(named.elem))
    } else if (isObject(rule) && mine(rule)) {
      const statements = Array.isArray(rule.expr) ? rule.expr : []
      chains.get(`${rule.table} ${rule.chain}`)?.rules.push(parseRule(rule, statements))
    }
  }
  return { family, chains, sets, unread: [] }
}

function readObjects(text: string): readonly Readonly<Record<string, unknown>>[] | undefined {
  try {
    const found: unknown = JSON.parse(text)
    return isObject(found) && Array.isArray(found.nftables) ? found.nftables.filter(isObject) : undefined
  } catch {
    return undefined
  }
}

function parseChain({ table, name, hook, prio, policy, type }: Readonly<Record<string, unknown>>): Growing {
  const chain = { table: String(table), name: String(name), rules: [] }
  if (typeof hook !== 'string' || !hooks.has(hook)) return chain
  const priority = typeof prio === 'number' ? prio : 0
  return {
    ...chain,
    base: { hook: hook as Hook, priority, translates: type === 'nat', policy: policy === 'drop' ? 'drop' : 'accept' },
  }
}

function parseRule(rule: Readonly<Record<string, unknown>>, statements: readonly unknown[]): Rule {
  const counter = statements.find((one) => isObject(one) && isObject(one.counter))
  const packets = isObject(counter) && isObject(counter.counter) ? counter.counter.packets : undefined
  const comment = typeof rule.comment === 'string' ? ` "${rule.comment}"` : ''
  return {
    text: `table ${rule.family} ${rule.table} chain ${rule.chain} handle ${rule.handle}${comment}`,
    statements: statements.map(parseStatement),
    ...(typeof packets === 'number' ? { packets } : {}),
  }
}
