import { isTransportKey, ownNetwork, partTypes } from './fields.ts'
import type { Expression, Rule, Statement, TableFamily } from './language.ts'
import { findSoleRange, mergeRanges } from './merge-ranges.ts'
import { parseNatTarget, renderNatTarget } from './nat-target.ts'
import { sortElements } from './render-elements.ts'
import { protocolName, readsNetwork, readsTransport, renderConstant, renderExpression } from './render-expression.ts'
import { quote, renderDuration, renderVerdict } from './render-words.ts'
import { makeShape } from './set-shape.ts'
import { hasRanges } from './value-text.ts'
import { networkOrdered, type ValueType, valueTypes } from './value-type.ts'

type Match = Extract<Statement, { kind: 'match' }>

/** What nft remembers while it prints a rule: matches of a protocol that a later field implies are left out. */
interface Context {
  readonly family: TableFamily
  readonly texts: (string | undefined)[]
  transport?: { readonly name: string; readonly index: number }
  network?: { readonly name: string; readonly index: number }
}

/** One rule as `nft list ruleset` prints it, without its indentation. */
export function renderRule(family: TableFamily, rule: Rule): string {
  const context: Context = { family, texts: [] }
  for (const statement of rule.statements) context.texts.push(renderStatement(context, statement))
  const text = context.texts.filter((part) => part !== undefined).join(' ')
  return rule.comment === undefined ? text : `${text} comment ${quote(rule.comment)}`.trimStart()
}

function renderStatement(context: Context, statement: Statement): string | undefined {
  switch (statement.kind) {
    case 'match':
      return renderMatch(context, statement)
    case 'verdict':
      return renderVerdict(statement.verdict)
    case 'vmap':
      return renderVerdictMap(context, statement)
    case 'set': {
      const target = statement.target === 'meta priority' ? valueTypes.classid : valueTypes.mark
      const { value } = statement
      const text = value.kind === 'constant' ? renderConstant(target, value.text) : render(context, value)
      return `${statement.target} set ${text}`
    }
    case 'dnat':
    case 'snat':
      return renderNat(context, statement)
    case 'masquerade':
      return `masquerade${renderFlags(statement.flags)}`
    case 'reject':
      return renderReject(context, statement.with)
    case 'counter':
      return 'counter packets 0 bytes 0'
    case 'log':
      return renderLog(statement)
    case 'limit':
      return renderLimit(statement)
    case 'update': {
      const timeout =
        statement.timeoutSeconds === undefined ? '' : ` timeout ${renderDuration(statement.timeoutSeconds)}`
      return `${statement.operation} @${statement.set} { ${render(context, statement.key)}${timeout} }`
    }
    case 'notrack':
      return 'notrack'
    case 'flow-add':
      return `flow add @${statement.flowtable}`
    default:
      return statement satisfies never
  }
}

/** Renders an expression, dropping the protocol matches that it implies. */
function render(context: Context, expression: Expression): string {
  const { texts, transport, network } = context
  if (transport !== undefined && readsTransport(expression)) texts[transport.index] = undefined
  if (network !== undefined && context.family === 'inet' && readsNetwork(expression)) texts[network.index] = undefined
  return renderExpression(expression, transport?.name)
}

function renderMatch(context: Context, match: Match): string | undefined {
  const { left, operator, right } = match
  const text = render(context, left)
  if (typeof right !== 'string')
    return `${text} ${operator === '==' ? '' : `${operator} `}${renderSet(left, operator, right)}`
  if (operator === '==' && learn(context, left, right)) return undefined
  return renderComparison(left, text, operator, right)
}

function renderComparison(left: Expression, text: string, operator: Match['operator'], right: string): string {
  if (left.kind === 'fib' && (right === 'missing' || right === 'exists')) {
    return `${text} ${operator === '==' ? '' : `${operator} `}${right}`
  }
  const [type] = partTypes(left)
  if (type === undefined) throw new TypeError('nothing to match')
  const constant = renderConstant(type, right)
  if (left.kind === 'bitwise') return renderMasked(left, type, text, operator, constant)
  return `${text} ${operator === '==' ? '' : `${operator} `}${constant}`
}

/** nft prints flags under a mask as `tcp flags syn / fin,syn`; other masks as an expression. */
function renderMasked(
  left: Extract<Expression, { kind: 'bitwise' }>,
  type: ValueType,
  text: string,
  operator: string,
  constant: string,
): string {
  const several = /^(.*) & \((.*)\)$/.exec(text)
  const flags = type.name === 'tcp_flag' ? (several ?? /^(.*) & ([a-z]+)$/.exec(text)) : several
  if (flags !== null && left.xor === 0 && type.bitmask !== undefined && (operator === '==' || operator === '!=')) {
    const mask = (flags[2] ?? '').replaceAll(' | ', ',')
    return `${flags[1]} ${operator === '==' ? '' : '!= '}${constant} / ${mask}`
  }
  return `${text} ${operator} ${constant.replaceAll(',', ' | ')}`
}

/** Notes protocol matches; true when the table knows the answer already. */
function learn(context: Context, left: Expression, text: string): boolean {
  const index = context.texts.length
  if (isTransportKey(left)) context.transport = { name: protocolName(text), index }
  if (left.kind !== 'meta' || left.key !== 'nfproto') return false
  context.network = { name: text, index }
  return ownNetwork(context.family) === text
}

function renderSet(left: Expression, operator: Match['operator'], right: Exclude<Match['right'], string>): string {
  if ('set' in right) return `@${right.set}`
  const types = partTypes(left)
  const only = findSoleRange(types, right.of)
  if (only !== undefined) {
    return renderComparison(left, '', operator, only).replace(/^ (!= )?/, '')
  }
  return `{ ${renderKeys(
    types,
    right.of.map((key) => ({ key })),
  ).join(', ')} }`
}

function renderVerdictMap(context: Context, { key, map }: Extract<Statement, { kind: 'vmap' }>): string {
  const text = render(context, key)
  if (typeof map === 'string') return `${text} vmap @${map}`
  const elements = map.map(({ key: of, verdict }) => ({ key: of, value: renderVerdict(verdict) }))
  return `${text} vmap { ${renderKeys(partTypes(key), elements).join(', ')} }`
}

/** The elements of an anonymous set in the order in which nft lists them. */
function renderKeys(types: readonly ValueType[], elements: readonly { key: string; value?: string }[]): string[] {
  const canonical = elements.map(({ key, value }) => {
    const parts = key.split(' . ').map((part, i) => renderConstant(types[i]!, part))
    return { key: parts.join(' . '), ...(value === undefined ? {} : { value }) }
  })
  const interval = hasRanges(
    types,
    canonical.map(({ key }) => key),
  )
  const parts = interval ? types.map(networkOrdered) : types
  const shape = makeShape('anonymous', parts, elements[0]?.value === undefined ? undefined : 'verdict', interval)
  const merge = interval && types.length === 1 && shape.value === undefined
  const sorted: typeof canonical = sortElements(shape, merge ? mergeRanges(shape, canonical) : canonical)
  return sorted.map((element) => (element.value === undefined ? element.key : `${element.key} : ${element.value}`))
}

function renderNat(context: Context, statement: Extract<Statement, { kind: 'dnat' | 'snat' }>): string {
  const { to, family, withPort } = statement
  const word = family === 4 ? 'ip' : 'ip6'
  if (to.kind === 'constant') {
    const type = family === 4 ? valueTypes.ipv4_addr : valueTypes.ipv6_addr
    const target = parseNatTarget(to.text)
    const text = renderNatTarget({ ...target, address: renderConstant(type, target.address) })
    return `${statement.kind}${context.family === 'inet' ? ` ${word}` : ''} to ${text}${renderFlags(statement.flags)}`
  }
  const named = withPort || context.family === 'inet' ? ` ${word}` : ''
  return `${statement.kind}${named} to ${render(context, to)}${renderFlags(statement.flags)}`
}

function renderFlags(flags: readonly string[] = []): string {
  const ordered = ['random', 'fully-random', 'persistent'].filter((flag) => flags.includes(flag))
  return ordered.length === 0 ? '' : ` ${ordered.join(',')}`
}

function renderLimit({ rate, per, burst, of, over }: Extract<Statement, { kind: 'limit' }>): string {
  const word = over === true ? 'limit rate over' : 'limit rate'
  if (of === 'bytes') return `${word} ${renderBytes(rate)}/${per} burst ${renderBytes(burst ?? 5)}`
  return `${word} ${rate}/${per}${burst === undefined || burst === 5 ? '' : ` burst ${burst} packets`}`
}

/** In the greatest unit that leaves no remainder. */
function renderBytes(count: number): string {
  if (count > 0 && count % 1048576 === 0) return `${count / 1048576} mbytes`
  return count > 0 && count % 1024 === 0 ? `${count / 1024} kbytes` : `${count} bytes`
}

function renderReject(context: Context, answer: Extract<Statement, { kind: 'reject' }>['with']): string {
  const { family, transport, texts } = context
  const single = family === 'ip' || family === 'ip6'
  if (answer === 'tcp reset') {
    if (transport?.name === 'tcp' && single) texts[transport.index] = undefined
    // The check that encoding adds, which nft does not leave out in tables of both families.
    if (transport === undefined && !single) return 'meta l4proto tcp reject with tcp reset'
    return 'reject with tcp reset'
  }
  if (answer === 'port-unreachable') return 'reject'
  return `reject with ${family === 'ip' ? 'icmp' : family === 'ip6' ? 'icmpv6' : 'icmpx'} ${answer}`
}

function renderLog({ prefix, group }: Extract<Statement, { kind: 'log' }>): string {
  const text = prefix === '' ? 'log' : `log prefix ${quote(prefix)}`
  return group === undefined ? text : `${text} group ${group}`
}
