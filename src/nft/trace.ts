import { isDeepStrictEqual } from 'node:util'
import type { Address } from '../addr/index.ts'
import { invert } from './evaluate.ts'
import type { FakeNftables } from './fake.ts'
import type { FakeChain, FakeTable } from './fake-step.ts'
import type { Journey, Trace, TraceOutcome, TraceStep } from './journey.ts'
import type { Chain, TableFamily } from './language.ts'
import type { Packet, Tuple } from './packet.ts'
import { type Run, runChain, type Verdict } from './trace-chain.ts'

type Hook = NonNullable<Chain['hook']>

/**
 * Follows one packet through the base chains of all tables in the kernel's order, with NAT for the first packet of a connection,
 * and says which rules matched and what became of it. Rate limits are taken as not exceeded. Pure.
 */
export function trace(fake: FakeNftables, packet: Packet, journey: Journey): Trace {
  const run: Run = { journey, steps: [], updates: [], packet, natted: new Set() }
  const outcome = travel(fake, run)
  const { steps, updates, dnat, snat } = run
  return {
    steps,
    outcome,
    packet: run.packet,
    updates,
    ...(dnat === undefined ? {} : { dnat }),
    ...(snat === undefined ? {} : { snat }),
  }
}

function travel(fake: FakeNftables, run: Run): TraceOutcome {
  const first = run.journey.from === 'wire' ? 'prerouting' : 'output'
  const sent = first === 'output' ? run.journey.route(run.packet.destination) : undefined
  if (first === 'output') {
    if (sent === undefined) return { kind: 'unroutable' }
    run.packet = { ...run.packet, outputInterface: sent === 'host' ? 'lo' : sent.outputInterface }
  }
  const early = runHook(fake, run, first)
  if (early !== undefined) return early
  // The destination may be another one now, so the way is looked up after NAT.
  const way = run.journey.route(run.packet.destination)
  if (way === undefined) return { kind: 'unroutable' }
  if (run.journey.from === 'wire') {
    if (way === 'host') return runHook(fake, run, 'input') ?? { kind: 'delivered' }
    run.packet = { ...run.packet, outputInterface: way.outputInterface }
    return runHook(fake, run, 'forward') ?? runHook(fake, run, 'postrouting') ?? { kind: 'sent' }
  }
  run.packet = { ...run.packet, outputInterface: way === 'host' ? 'lo' : way.outputInterface }
  const late = runHook(fake, run, 'postrouting')
  if (late !== undefined || way !== 'host') return late ?? { kind: 'sent' }
  const { outputInterface: _, ...looped } = run.packet
  run.packet = { ...looped, inputInterface: 'lo' }
  return runHook(fake, run, 'prerouting') ?? runHook(fake, run, 'input') ?? { kind: 'delivered' }
}

interface BaseChain {
  readonly table: FakeTable
  readonly chain: FakeChain
  readonly hook: Hook
}

/** NAT runs where the kernel registers it (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC), whatever its chains say; theirs order them among each other. */
function place({ type, hook, priority }: Hook): number {
  if (type !== 'nat') return priority
  return hook === 'prerouting' || hook === 'output' ? -100 : 100
}

/** The base chains of one hook in order; among equals the kernel puts the newest first (nf_hook_entries_grow). */
function baseChains(fake: FakeNftables, hookName: Hook['hook'], family: 4 | 6): readonly BaseChain[] {
  const families: readonly TableFamily[] = ['inet', family === 4 ? 'ip' : 'ip6']
  const chains = fake.tables
    .filter((table) => families.includes(table.family))
    .flatMap((table) => [...table.chains.values()].map((chain) => ({ table, chain, hook: chain.declaration.hook })))
    .filter((one): one is BaseChain => one.hook?.hook === hookName)
    .reverse()
  return chains.sort((a, b) => place(a.hook) - place(b.hook) || a.hook.priority - b.hook.priority)
}

/** Runs one hook; gives an outcome when the packet ends there. */
function runHook(fake: FakeNftables, run: Run, hookName: Hook['hook']): TraceOutcome | undefined {
  for (const base of baseChains(fake, hookName, run.packet.family)) {
    const { hook } = base
    if (hook.type === 'nat' && !mayTranslate(run, hookName)) continue
    const conntrack = run.packet.conntrack
    // Conntrack itself sits at -200; before it, no packet has a connection, unless it comes back over `lo`.
    const early = hook.priority < -200 && hookName === (run.journey.from === 'wire' ? 'prerouting' : 'output')
    if (early && conntrack.state !== 'untracked')
      run.packet = { ...run.packet, conntrack: { ...conntrack, state: 'invalid' } }
    const verdict = runBase(run, base)
    if (early && run.packet.conntrack.state === 'invalid') run.packet = { ...run.packet, conntrack }
    const outcome = settle(run, hookName, verdict)
    if (outcome !== undefined) return outcome
  }
  // A connection that no chain translated has its addresses fixed all the same (nf_nat_alloc_null_binding).
  if (hookName !== 'forward') run.natted.add(side(hookName))
  return undefined
}

const side = (hook: Hook['hook']) => (hook === 'prerouting' || hook === 'output' ? 'destination' : 'source')

/** NAT looks at the first packet of a connection, once for each side. */
function mayTranslate(run: Run, hook: Hook['hook']): boolean {
  return run.packet.conntrack.state === 'new' && !run.natted.has(side(hook))
}

function runBase(run: Run, { table, chain, hook }: BaseChain): Verdict {
  const verdict = runChain(run, { table, hook: hook.hook }, chain.declaration.name, 0)
  if (verdict !== undefined) return verdict
  const step: TraceStep = {
    hook: hook.hook,
    table: `${table.family} ${table.name}`,
    chain: chain.declaration.name,
    rule: `policy ${hook.policy}`,
    found: [],
    verdict: hook.policy,
  }
  run.steps.push(step)
  return { kind: hook.policy, by: step }
}

function settle(run: Run, hook: Hook['hook'], verdict: Verdict): TraceOutcome | undefined {
  switch (verdict.kind) {
    case 'accept':
      return undefined
    case 'drop':
      return { kind: 'dropped', by: verdict.by }
    case 'reject':
      return { kind: 'rejected', with: verdict.with, by: verdict.by }
    case 'dnat':
      translateDestination(run, verdict.to)
      run.natted.add(side(hook))
      return undefined
    case 'snat':
      run.snat = verdict.to
      run.natted.add(side(hook))
      if (verdict.to !== 'masquerade') translateSource(run, verdict.to)
      return undefined
    default:
      return verdict satisfies never
  }
}

function translateDestination(run: Run, to: { address: Address; port?: number }): void {
  const { packet } = run
  run.dnat = to
  run.packet = translated(
    packet,
    { ...packet, destination: to.address, ...(to.port === undefined ? {} : { destinationPort: to.port }) },
    'dnat',
  )
}

function translateSource(run: Run, to: { address: Address; port?: number }): void {
  const { packet } = run
  run.packet = translated(
    packet,
    { ...packet, source: to.address, ...(to.port === undefined ? {} : { sourcePort: to.port }) },
    'snat',
  )
}

/** Conntrack notes a translation only when it changes something (nf_nat_setup_info). */
function translated(packet: Packet, moved: Packet, status: 'dnat' | 'snat'): Packet {
  if (isDeepStrictEqual(tupleOf(packet), tupleOf(moved))) return packet
  const { conntrack } = packet
  return {
    ...moved,
    conntrack: {
      ...conntrack,
      original: conntrack.original ?? tupleOf(packet),
      reply: invert(tupleOf(moved)),
      status: [...(conntrack.status ?? []), status],
    },
  }
}

function tupleOf({ source, destination, sourcePort, destinationPort }: Packet): Tuple {
  return {
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
  }
}
