/** Random partitions and stops among engines in processes of their own, seen by an observer on the wire. */
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { timingOf } from '../announce/index.ts'
import type { SetDeclaration, Transaction } from '../nft/index.ts'
import { Observer } from './observer.fixture.ts'
import { type Machine, virtual, type Wires } from './segment.fixture.ts'
import { SpeakerProcess } from './speaker-process.fixture.ts'

const address = virtual[4]
/** Short leases, so that a busy machine breaks them by itself too. */
const timing = timingOf(36)

/** What the wire is like for a while: which machine does not hear which, and who is stopped. */
interface Step {
  readonly kind: 'well' | 'split' | 'one way' | 'stop'
  /** Sides of a split by machine; pairs of sender and receiver otherwise. */
  readonly bits: number
  readonly victim: number
  readonly leases: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('well', 'split', 'split', 'one way', 'one way', 'stop'),
  bits: fc.nat((1 << 25) - 1),
  victim: fc.nat(4),
  leases: fc.double({ min: 0.3, max: 3.5, noNaN: true }),
})

export interface Observed {
  /** For how long two answered at one time, in milliseconds. */
  readonly dualMs: number
  readonly answers: number
  /** How often another machine answered than before. */
  readonly changes: number
  /** From the end of the last partition until somebody answers, in milliseconds. */
  readonly recoveryMs: number
}

/** Puts a segment of five machines through so many random partitions. */
export async function observePartitions(wires: Omit<Wires, 'close'>, count: number, seed: number): Promise<Observed> {
  const { machines } = wires
  const speakers = machines.map((machine) => new SpeakerProcess(wires, machine, [address], timing))
  const observer = new Observer(wires, timing.leaseMs)
  try {
    const cuts = machines.map((machine) => new Cut(machine))
    for (const cut of cuts) await cut.create()
    await observer.untilAnswered()
    for (const one of fc.sample(step, { numRuns: count, seed })) {
      // Half of the stops are the holder's.
      const holder = one.bits % 2 === 0 ? observer.last : undefined
      const victim = speakers.find(({ machine }) => machine.mac === holder) ?? speakers[one.victim % speakers.length]!
      if (one.kind === 'stop') victim.signal('SIGSTOP')
      for (const [to, cut] of cuts.entries()) await cut.set(machines.filter((_, from) => isCut(one, from, to)))
      await pause(one.leases * timing.leaseMs)
      if (one.kind === 'stop') victim.signal('SIGCONT')
    }
    for (const cut of cuts) await cut.set([])
    const begun = performance.now()
    await observer.untilAnswered()
    const recoveryMs = performance.now() - begun
    await pause(2 * timing.leaseMs)
    const { answers, changes } = observer
    return { dualMs: observer.dualMs, answers, changes, recoveryMs }
  } finally {
    observer.close()
    await Promise.all(speakers.map((one) => one.end()))
  }
}

function isCut({ kind, bits }: Step, from: number, to: number): boolean {
  if (from === to || kind === 'well' || kind === 'stop') return false
  if (kind === 'split') return ((bits >> from) & 1) !== ((bits >> to) & 1)
  return ((bits >> (from * 5 + to)) & 1) === 1
}

/** The machines whose heartbeats a machine does not hear. ARP goes on, so that two that answer would be seen. */
class Cut {
  readonly #machine: Machine
  #from: readonly Machine[] = []
  static readonly #at = { family: 'ip', table: 'cut' } as const
  static readonly #set: SetDeclaration = { name: 'from', key: ['ipv4_addr'] }

  constructor(machine: Machine) {
    this.#machine = machine
  }

  create(): Promise<void> {
    const at = Cut.#at
    return this.#machine.namespace.network.commit([
      { kind: 'add-table', ...at },
      { kind: 'add-set', ...at, set: Cut.#set },
      {
        kind: 'add-chain',
        ...at,
        chain: { name: 'in', hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' } },
      },
      {
        kind: 'add-rule',
        ...at,
        chain: 'in',
        rule: {
          statements: [
            { kind: 'match', left: { kind: 'payload', field: 'ip saddr' }, operator: '==', right: { set: 'from' } },
            { kind: 'match', left: { kind: 'payload', field: 'th dport' }, operator: '==', right: '10261' },
            { kind: 'verdict', verdict: { kind: 'drop' } },
          ],
        },
      },
    ])
  }

  async set(from: readonly Machine[]): Promise<void> {
    const change = (kind: 'add-elements' | 'delete-elements', machines: readonly Machine[]): Transaction => {
      const elements = machines.map(({ addresses }) => ({ key: addresses[0] ?? '' }))
      return elements.length === 0 ? [] : [{ kind, ...Cut.#at, set: Cut.#set, elements }]
    }
    const transaction = [
      ...change(
        'delete-elements',
        this.#from.filter((one) => !from.includes(one)),
      ),
      ...change(
        'add-elements',
        from.filter((one) => !this.#from.includes(one)),
      ),
    ]
    this.#from = from
    if (transaction.length > 0) await this.#machine.namespace.network.commit(transaction)
  }
}
