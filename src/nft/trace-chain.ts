import { type Address, parseAddress } from '../addr/index.ts'
import { evaluate, type Scene } from './evaluate.ts'
import { evaluateMatch, inKey } from './evaluate-match.ts'
import type { FakeTable } from './fake-step.ts'
import { partTypes } from './fields.ts'
import type { Journey, Trace, TraceStep } from './journey.ts'
import type { Chain, Expression, Rule, Verdict as RuleVerdict, Statement } from './language.ts'
import { parseNatTarget } from './nat-target.ts'
import type { Packet } from './packet.ts'
import { renderRule } from './render-rule.ts'
import { parseVerdict, renderVerdict } from './render-words.ts'
import { valueBytes } from './value-text.ts'
import { type ValueType, valueTypes } from './value-type.ts'

/** One trace under way. */
export interface Run {
  readonly journey: Journey
  readonly steps: TraceStep[]
  readonly updates: { table: string; set: string; key: string }[]
  packet: Packet
  dnat?: Trace['dnat']
  snat?: Trace['snat']
  readonly natted: Set<'destination' | 'source'>
}

type Target = { readonly address: Address; readonly port?: number }
type Reject = Extract<Statement, { kind: 'reject' }>['with']

/** What ends a base chain. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop'; readonly by: TraceStep }
  | { readonly kind: 'reject'; readonly with: Reject; readonly by: TraceStep }
  | { readonly kind: 'dnat'; readonly to: Target }
  | { readonly kind: 'snat'; readonly to: 'masquerade' | Target }

interface Place {
  readonly table: FakeTable
  readonly hook: NonNullable<Chain['hook']>['hook']
}

/** What one statement says of the rest of the rule. */
type Effect =
  | { readonly kind: 'next'; readonly found?: string }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'verdict'; readonly verdict: RuleVerdict; readonly found?: string }
  | {
      readonly kind: 'end'
      readonly verdict: string
      readonly make: (by: TraceStep) => Verdict
      readonly found?: string
    }

/** NFT_JUMP_STACK_SIZE; the kernel refuses deeper jumps when rules are loaded. */
const maxDepth = 16

/** Runs a chain and those it calls; undefined when the packet comes out at its end. */
export function runChain(run: Run, place: Place, name: string, depth: number): Verdict | undefined {
  if (depth > maxDepth) throw new RangeError(`chains are nested deeper than ${maxDepth} at ${name}`)
  for (const rule of place.table.chains.get(name)?.rules ?? []) {
    const result = runRule(run, place, name, rule)
    if (result === undefined) continue
    if (result.kind === 'return') return undefined
    if (result.kind !== 'call') return result
    const verdict = runChain(run, place, result.chain, depth + 1)
    // What was gone to does not come back.
    if (verdict !== undefined || !result.returns) return verdict
  }
  return undefined
}

type RuleResult =
  | Verdict
  | { readonly kind: 'return' }
  | { readonly kind: 'call'; readonly chain: string; readonly returns: boolean }

/** Runs the statements of a rule; undefined when the next rule is due. */
function runRule(run: Run, place: Place, chain: string, rule: Rule): RuleResult | undefined {
  const found: string[] = []
  const before = run.packet
  for (const statement of rule.statements) {
    const effect = perform(run, place, statement)
    if (effect.kind === 'mismatch') {
      if (before === run.packet) return undefined
      record(run, place, chain, rule, found)
      return undefined
    }
    if (effect.found !== undefined) found.push(effect.found)
    if (effect.kind === 'next') continue
    if (effect.kind === 'end') return effect.make(record(run, place, chain, rule, found, effect.verdict))
    const { verdict } = effect
    if (verdict.kind === 'continue') continue
    const step = record(run, place, chain, rule, found, renderVerdict(verdict))
    if (verdict.kind === 'accept' || verdict.kind === 'drop') return { kind: verdict.kind, by: step }
    return 'chain' in verdict
      ? { kind: 'call', chain: verdict.chain, returns: verdict.kind === 'jump' }
      : { kind: 'return' }
  }
  record(run, place, chain, rule, found)
  return undefined
}

function record(
  run: Run,
  { table, hook }: Place,
  chain: string,
  rule: Rule,
  found: readonly string[],
  verdict?: string,
): TraceStep {
  const step: TraceStep = {
    hook,
    table: `${table.family} ${table.name}`,
    chain,
    rule: renderRule(table.family, rule),
    found: [...found],
    ...(verdict === undefined ? {} : { verdict }),
  }
  run.steps.push(step)
  return step
}

function perform(run: Run, place: Place, statement: Statement): Effect {
  const scene = sceneOf(run, place)
  switch (statement.kind) {
    case 'match': {
      const result = evaluateMatch(scene, statement)
      return result?.holds === true ? { kind: 'next', found: result.value } : { kind: 'mismatch' }
    }
    case 'verdict':
      return { kind: 'verdict', verdict: statement.verdict }
    case 'vmap':
      return performMap(scene, statement)
    case 'set':
      return performSet(run, scene, statement)
    case 'dnat':
    case 'snat':
      return performNat(scene, statement)
    case 'masquerade':
      return { kind: 'end', verdict: 'masquerade', make: () => ({ kind: 'snat', to: 'masquerade' }) }
    case 'reject':
      if (statement.with === 'tcp reset' && run.packet.protocol !== 'tcp') return { kind: 'mismatch' }
      return {
        kind: 'end',
        verdict: `reject with ${statement.with}`,
        make: (by) => ({ kind: 'reject', with: statement.with, by }),
      }
    case 'update': {
      const key = evaluate(scene, statement.key)?.join(' . ')
      if (key === undefined) return { kind: 'mismatch' }
      run.updates.push({ table: `${place.table.family} ${place.table.name}`, set: statement.set, key })
      return { kind: 'next', found: key }
    }
    case 'notrack':
      run.packet = { ...run.packet, conntrack: { state: 'untracked' } }
      return { kind: 'next' }
    case 'limit':
      return { kind: statement.over === true ? 'mismatch' : 'next' }
    case 'counter':
    case 'log':
    case 'flow-add':
      return { kind: 'next' }
    default:
      return statement satisfies never
  }
}

function sceneOf(run: Run, { table }: Place): Scene {
  return {
    packet: run.packet,
    surroundings: run.journey,
    findSet(name) {
      const set = table.sets.get(name)
      if (set === undefined) throw new TypeError(`table ${table.name} has no set ${name}`)
      return set
    },
  }
}

function performMap(scene: Scene, { key, map }: Extract<Statement, { kind: 'vmap' }>): Effect {
  const parts = evaluate(scene, key)
  if (parts === undefined) return { kind: 'mismatch' }
  const text = parts.join(' . ')
  const value = typeof map === 'string' ? scene.findSet(map).find(text)?.value : undefined
  const verdict =
    typeof map === 'string'
      ? value && parseVerdict(value)
      : map.find((element) => inKey(partTypes(key), parts, element.key))?.verdict
  if (!verdict) return { kind: 'mismatch' }
  return { kind: 'verdict', verdict, found: `${text} → ${renderVerdict(verdict)}` }
}

/** Sets meta or ct data: the bytes of the value, read as what they are set to. */
function performSet(run: Run, scene: Scene, { target, value }: Extract<Statement, { kind: 'set' }>): Effect {
  const type = target === 'meta priority' ? valueTypes.classid : valueTypes.mark
  const text = evaluate(scene, value)?.[0]
  if (text === undefined) return { kind: 'mismatch' }
  const result = type.read(valueBytes(sourceType(scene, value, type), text), 0)
  const { packet } = run
  if (target === 'meta priority') run.packet = { ...packet, priority: result }
  else if (target === 'meta mark') run.packet = { ...packet, mark: Number(result) }
  else run.packet = { ...packet, conntrack: { ...packet.conntrack, mark: Number(result) } }
  return { kind: 'next', found: `${target} = ${result}` }
}

function sourceType(scene: Scene, value: Expression, target: ValueType): ValueType {
  if (value.kind === 'constant') return target
  if (value.kind !== 'lookup') return partTypes(value)[0] ?? target
  const of = scene.findSet(value.map).shape.value
  return of === undefined || of === 'verdict' ? target : (of[0] ?? target)
}

function performNat(
  scene: Scene,
  { kind, family, to, withPort }: Extract<Statement, { kind: 'dnat' | 'snat' }>,
): Effect {
  const parts = evaluate(scene, to)
  if (parts === undefined) return { kind: 'mismatch' }
  const target =
    to.kind === 'constant'
      ? parseNatTarget(to.text)
      : { address: parts[0] ?? '', ...(withPort ? { port: parts[1] ?? '' } : {}) }
  // In a table of both families, packets of the other pass on (nft_nat_inet_eval).
  if (family !== scene.packet.family) return { kind: 'next' }
  const address = parseAddress(target.address)
  const destination: Target = target.port === undefined ? { address } : { address, port: Number(target.port) }
  const text = target.port === undefined ? address : `${address} . ${target.port}`
  return { kind: 'end', verdict: `${kind} to ${text}`, make: () => ({ kind, to: destination }) }
}
