import { anonymousSet, load, type RuleState, requirePlace, words } from './compile-load.ts'
import { compileMatch } from './compile-match.ts'
import { ctKeys, metaKeys } from './fields.ts'
import type { Instruction } from './instruction.ts'
import type { Rule, Statement, TableFamily } from './language.ts'
import { parseNatTarget } from './nat-target.ts'
import { renderVerdict } from './render-words.ts'
import { partsSize } from './set-shape.ts'
import { valueBytes } from './value-text.ts'
import { type ValueType, valueTypes } from './value-type.ts'

/** NF_NAT_RANGE_* (include/uapi/linux/netfilter/nf_nat.h). */
const NAT_PROTO_SPECIFIED = 2
const natFlags = { random: 4, persistent: 8, 'fully-random': 16 } as const

const setTargets = {
  'meta mark': { op: 'set meta', key: metaKeys.mark.id, type: valueTypes.mark },
  'meta priority': { op: 'set meta', key: metaKeys.priority.id, type: valueTypes.classid },
  'ct mark': { op: 'set ct', key: ctKeys.mark.id, type: valueTypes.mark },
} as const

/**
 * The register program of a rule, the same as nft 1.0.6 makes of the rule's text, so that it lists as that text.
 * Adds the checks of header protocols that fields need. Throws a TypeError for what nft could not list.
 */
export function compileRule(family: TableFamily, rule: Rule): readonly Instruction[] {
  const state: RuleState = { family, program: [] }
  for (const statement of rule.statements) compileStatement(state, statement)
  return state.program
}

function compileStatement(state: RuleState, statement: Statement): void {
  const { program } = state
  switch (statement.kind) {
    case 'match':
      compileMatch(state, statement)
      return
    case 'verdict':
      program.push({ op: 'verdict', verdict: statement.verdict })
      return
    case 'vmap':
      compileVerdictMap(state, statement)
      return
    case 'set':
      compileSet(state, statement)
      return
    case 'dnat':
    case 'snat':
      compileNat(state, statement)
      return
    case 'masquerade':
      program.push({ op: 'masq', flags: flagBits(statement.flags) })
      return
    case 'reject':
      compileReject(state, statement.with)
      return
    case 'counter':
    case 'notrack':
      program.push({ op: statement.kind })
      return
    case 'flow-add':
      program.push({ op: 'flow_offload', flowtable: statement.flowtable })
      return
    case 'log':
      program.push({
        op: 'log',
        prefix: statement.prefix,
        ...(statement.group === undefined ? {} : { group: statement.group }),
      })
      return
    case 'limit':
      program.push({
        op: 'limit',
        rate: statement.rate,
        seconds: { second: 1, minute: 60, hour: 3600 }[statement.per],
        burst: statement.burst ?? 5,
        bytes: statement.of === 'bytes',
        over: statement.over === true,
      })
      return
    case 'update':
      load(state, statement.key, 0)
      program.push({
        op: 'dynset',
        key: 0,
        set: statement.set,
        update: statement.operation === 'update',
        ...(statement.timeoutSeconds === undefined ? {} : { timeoutMs: statement.timeoutSeconds * 1000 }),
      })
      return
    default:
      statement satisfies never
  }
}

function compileVerdictMap(state: RuleState, statement: Extract<Statement, { kind: 'vmap' }>): void {
  const types = load(state, statement.key, 0)
  const { map } = statement
  const set =
    typeof map === 'string'
      ? map
      : anonymousSet(
          state,
          types,
          map.map(({ key, verdict }) => ({ key, value: renderVerdict(verdict) })),
          'verdict',
        )
  state.program.push({ op: 'lookup', from: 0, into: 'verdict', set, inverted: false })
}

function compileSet(state: RuleState, statement: Extract<Statement, { kind: 'set' }>): void {
  const target = setTargets[statement.target]
  const { value } = statement
  if (value.kind === 'constant') {
    state.program.push({ op: 'immediate', into: 0, data: valueBytes(target.type, value.text) })
  } else if (value.kind === 'lookup') {
    lookup(state, value.key, value.map)
  } else {
    const types = load(state, value, 0)
    if (partsSize(types) !== 4) throw new TypeError(`${statement.target} takes 4 bytes`)
  }
  state.program.push({ op: target.op, key: target.key, from: 0 })
}

function lookup(state: RuleState, key: Parameters<typeof load>[1], map: string): void {
  load(state, key, 0)
  state.program.push({ op: 'lookup', from: 0, into: 0, set: map, inverted: false })
}

function compileNat(state: RuleState, statement: Extract<Statement, { kind: 'dnat' | 'snat' }>): void {
  const { program } = state
  const type: ValueType = statement.family === 4 ? valueTypes.ipv4_addr : valueTypes.ipv6_addr
  const own = state.family === 'ip' ? 4 : state.family === 'ip6' ? 6 : undefined
  if (own !== undefined && own !== statement.family)
    throw new TypeError(`${statement.kind} to IPv${statement.family} in a table ${state.family}`)
  let flags = flagBits(statement.flags)
  let port: number | undefined
  let lastPort: number | undefined
  if (statement.to.kind === 'constant') {
    const target = parseNatTarget(statement.to.text)
    program.push({ op: 'immediate', into: 0, data: valueBytes(type, target.address) })
    if (target.port !== undefined) {
      port = 4
      flags |= NAT_PROTO_SPECIFIED
      program.push({ op: 'immediate', into: port, data: valueBytes(valueTypes.inet_service, target.port) })
      if (target.lastPort !== undefined) {
        lastPort = 8
        program.push({ op: 'immediate', into: lastPort, data: valueBytes(valueTypes.inet_service, target.lastPort) })
      }
    }
  } else if (statement.to.kind === 'lookup') {
    lookup(state, statement.to.key, statement.to.map)
    if (statement.withPort) port = words(type.size)
  } else {
    throw new TypeError(`${statement.kind} to "${statement.to.kind}": only a constant or a map lookup can be listed`)
  }
  program.push({
    op: 'nat',
    type: statement.kind === 'snat' ? 0 : 1,
    family: statement.family === 4 ? 2 : 10,
    address: 0,
    ...(port === undefined ? {} : { port }),
    ...(lastPort === undefined ? {} : { lastPort }),
    flags,
  })
}

function flagBits(flags: readonly (keyof typeof natFlags)[] = []): number {
  return flags.reduce((bits, flag) => bits | natFlags[flag], 0)
}

/** enum nft_reject_types: ICMP of the family, TCP RST, or ICMPX that fits either. */
function compileReject(state: RuleState, answer: Extract<Statement, { kind: 'reject' }>['with']): void {
  const { family, program } = state
  if (answer === 'tcp reset') {
    requirePlace(state, { transport: 'tcp' })
    program.push({ op: 'reject', type: 1, code: 0 })
    return
  }
  const codes = answer === 'port-unreachable' ? { ip: 3, ip6: 4, x: 1 } : { ip: 13, ip6: 1, x: 3 }
  if (family === 'ip' || family === 'ip6') program.push({ op: 'reject', type: 0, code: codes[family] })
  else program.push({ op: 'reject', type: 2, code: codes.x })
}
