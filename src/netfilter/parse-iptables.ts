import { type Family, findAddress } from '../addr/index.ts'
import { parseOptions } from './iptables-options.ts'
import type { Chain, Hook, Rule, Ruleset, Statement } from './ruleset.ts'

/** More than any node has; the rest is said to be unread. */
const maxBytes = 64 << 20
const maxUnread = 8

const hooks: Readonly<Record<string, Hook>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
}

/** uapi/linux/netfilter_ipv4.h, `nf_ip_hook_priorities`. */
const priorities: Readonly<Record<string, number>> = { raw: -300, mangle: -150, filter: 0, security: 50 }

interface Growing extends Omit<Chain, 'rules'> {
  readonly rules: Rule[]
}

/** What `iptables-save` or `ip6tables-save` (legacy or nft) printed, with or without counters. Total: what is not understood stays in the rule as `unknown`. */
export function parseIptablesSave(family: Family, text: string): Ruleset {
  const chains = new Map<string, Growing>()
  const unread: string[] = []
  if (text.length > maxBytes) unread.push(`only the first ${maxBytes >> 20} MiB of iptables-save were read`)
  let table = ''
  for (const line of text.slice(0, maxBytes).split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    else if (line.startsWith(':')) {
      const chain = parseChain(table, line)
      chains.set(`${table} ${chain.name}`, chain)
    } else if (/^(\[\d+:\d+\] )?-A /.test(line)) {
      const [name, rule] = parseRule(family, line)
      chains.get(`${table} ${name}`)?.rules.push(rule)
    } else if (line !== '' && !line.startsWith('#') && line !== 'COMMIT' && unread.length < maxUnread)
      unread.push(line.slice(0, 120))
  }
  return { family, chains, sets: new Map(), unread }
}

/** `:FORWARD DROP [0:0]` */
function parseChain(table: string, line: string): Growing {
  const [name = '', policy = '-'] = line.slice(1).split(' ')
  const hook = hooks[name]
  if (hook === undefined || policy === '-') return { table, name, rules: [] }
  const translates = table === 'nat'
  const priority = translates ? (hook === 'prerouting' || hook === 'output' ? -100 : 100) : (priorities[table] ?? 0)
  return { table, name, base: { hook, priority, translates, policy: policy === 'DROP' ? 'drop' : 'accept' }, rules: [] }
}

function parseRule(family: Family, line: string): [string, Rule] {
  const counted = /^\[(\d+):\d+\] /.exec(line)
  const text = counted === null ? line : line.slice(counted[0].length)
  const [, chain = '', ...words] = splitWords(text)
  const { matches, target, options } = parseOptions(family, words)
  const rule = { text, statements: [...matches, ...parseTarget(target, options)] }
  return [chain, counted === null ? rule : { ...rule, packets: Number(counted[1]) }]
}

/** Words of a rule; double quotes hold words together, backslashes take one character as it is. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll(/\\(.)/g, '$1'),
  )
}

const builtIn = { ACCEPT: 'accept', DROP: 'drop', RETURN: 'return' } as const
const notes = new Set([
  'LOG',
  'NFLOG',
  'CONNMARK',
  'CT',
  'NOTRACK',
  'TRACE',
  'SET',
  'TCPMSS',
  'DSCP',
  'TOS',
  'CHECKSUM',
  'CLASSIFY',
])

/** What `-j` or `-g` and its options do. */
function parseTarget(
  target: { readonly name: string; readonly goto: boolean } | undefined,
  options: ReadonlyMap<string, string>,
): Statement[] {
  if (target === undefined) return [{ kind: 'note' }]
  const { name } = target
  if (name === 'ACCEPT' || name === 'DROP' || name === 'RETURN')
    return [{ kind: 'verdict', verdict: { kind: builtIn[name] } }]
  if (name === 'REJECT')
    return [
      { kind: 'verdict', verdict: { kind: 'reject', with: options.get('--reject-with') ?? 'icmp-port-unreachable' } },
    ]
  if (name === 'MASQUERADE') return [{ kind: 'masquerade' }]
  if (name === 'DNAT' || name === 'SNAT') return [parseNat(name, options)]
  if (name === 'REDIRECT') return [{ kind: 'translate', ...portOf(options.get('--to-ports') ?? '') }]
  if (name === 'MARK') return [parseMark(options)]
  if (notes.has(name)) return [{ kind: 'note' }]
  // Targets of extensions are upper case alone; chains that people make may be so too, and then they are there.
  return [{ kind: 'verdict', verdict: { kind: target.goto ? 'goto' : 'jump', chain: name } }]
}

function parseNat(name: 'DNAT' | 'SNAT', options: ReadonlyMap<string, string>): Statement {
  const text = options.get(name === 'DNAT' ? '--to-destination' : '--to-source') ?? ''
  const found = /^\[?([0-9a-fA-F.:]*?)\]?(?::(\d+))?$/.exec(
    text.includes(']') || text.includes('.') ? text : `[${text}]`,
  )
  const address = findAddress(found?.[1] ?? '')
  if (found === null || (address === undefined && found[1] !== '')) return { kind: 'unknown', text: `${name} ${text}` }
  const to = address === undefined ? {} : { address }
  return name === 'SNAT' ? { kind: 'masquerade', ...to } : { kind: 'translate', ...to, ...portOf(found[2] ?? '') }
}

function portOf(text: string): { port?: number } {
  return /^\d{1,5}$/.test(text) ? { port: Number(text) } : {}
}

/** `--set-xmark V/M`, `--or-mark`, `--and-mark`, `--xor-mark`, `--set-mark V/M`: as iptables-save prints them all, the first. */
function parseMark(options: ReadonlyMap<string, string>): Statement {
  const text = options.get('--set-xmark') ?? options.get('--set-mark')
  const [value = NaN, mask = 0xffffffff] = (text ?? '').split('/').map(Number)
  return Number.isNaN(value)
    ? { kind: 'unknown', text: `MARK ${[...options].flat().join(' ')}` }
    : { kind: 'mark', value, mask }
}
