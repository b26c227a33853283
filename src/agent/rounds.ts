import { type ChangeFeed, type Changes, type LiveSnapshot, mergeChanges } from '../cluster/index.ts'
import { HostError, type Network } from '../host/index.ts'
import type { Transaction } from '../nft/index.ts'
import type { NodePlan, Round } from '../nodeplan/index.ts'
import { forgetStale } from './conntrack.ts'
import type { Log, NodeModule } from './contract.ts'
import { type CutConnection, cutDenied, refusePickUp } from './cut-denied.ts'
import { cutRevoked } from './cut-revoked.ts'
import { keptSeats } from './kept-seats.ts'
import { keptNames } from './learn-names.ts'

/** What one round took, in milliseconds from the moment it began. */
export interface RoundReport {
  readonly full: boolean
  readonly operations: number
  readonly changes: Changes
  readonly compileMs: number
  readonly loweringMs: number
  /** Encoding and the kernel's part. */
  readonly commitMs: number
  readonly totalMs: number
  /** Looking through UDP's entries; undefined when there was nothing to look for. */
  readonly conntrackMs: number | undefined
  readonly forgotten: number
  /** Live connections that a policy or an Egress no longer allows, taken out of conntrack. */
  readonly cut: number
  readonly failure: Error | undefined
}

const firstRetryMs = 100
const lastRetryMs = 5000

/**
 * Runs rounds, one at a time: the first change is applied in the same turn of the event loop, and what arrives while a
 * round is in flight goes together into the next. A failed round is tried again whole, later and later.
 */
export class Rounds {
  readonly #plan: NodePlan
  readonly #snapshot: LiveSnapshot
  readonly #feed: ChangeFeed
  readonly #network: Network
  readonly #modules: readonly NodeModule[]
  readonly #log: Log
  readonly #onRound: (report: RoundReport) => void
  #open = false
  #onCut: ((connection: CutConnection) => void) | undefined
  #stopped = false
  #wanted = false
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = firstRetryMs
  #waiters: (() => void)[] = []
  /** What a module that failed has not taken in yet. */
  readonly #owed = new Map<NodeModule, Changes>()

  constructor(
    parts: { plan: NodePlan; snapshot: LiveSnapshot; feed: ChangeFeed; network: Network },
    modules: readonly NodeModule[],
    log: Log,
    onRound: (report: RoundReport) => void,
  ) {
    this.#plan = parts.plan
    this.#snapshot = parts.snapshot
    this.#feed = parts.feed
    this.#network = parts.network
    this.#modules = modules
    this.#log = log
    this.#onRound = onRound
  }

  /** Whether a change waits for a round or a round is in flight. */
  get busy(): boolean {
    return this.#wanted || this.#running !== undefined || this.#retry !== undefined
  }

  /** From now on, rounds end the live connections that a changed policy no longer allows, and tell them. */
  cutDenied(onCut: (connection: CutConnection) => void): void {
    this.#onCut = onCut
  }

  /** From now on there are rounds; the first looks at everything. */
  begin(): void {
    this.#open = true
    this.#wanted = true
    if (this.#running === undefined) this.#schedule()
  }

  /** Something changed. */
  wake(): void {
    if (this.#wanted || this.#stopped) return
    this.#wanted = true
    if (this.#open && this.#running === undefined) this.#schedule()
  }

  /** What the kernel holds is not what was put there: the next round is whole, and comes now. */
  distrust(): void {
    this.#plan.doubt()
    this.wake()
  }

  /** Resolves when nothing waits. Never, while the kernel refuses. */
  settled(): Promise<void> {
    if (!this.busy) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wanted = false
    clearTimeout(this.#retry)
    this.#retry = undefined
    await this.#running
  }

  #schedule(): void {
    // After the events that arrived in the same read of the socket.
    this.#running = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run())
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      clearTimeout(this.#retry)
      this.#retry = undefined
      const failure = await this.#round()
      if (failure === undefined) this.#retryMs = firstRetryMs
      else this.#retryLater()
    }
    this.#running = undefined
    if (this.busy) return
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #retryLater(): void {
    if (this.#stopped) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.wake()
    }, this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs)
  }

  async #round(): Promise<Error | undefined> {
    const begun = performance.now()
    const changes = this.#feed.take()
    const round = this.#plan.plan(this.#snapshot, changes)
    let failure = await this.#updateModules(changes)
    const planned = performance.now()
    let forgotten = 0
    let cut = 0
    try {
      // Seats are worth two attempts; should it be they that the kernel refuses, serving comes first.
      const kept = round.full && this.#retryMs <= 2 * firstRetryMs ? await this.#kept() : []
      if (round.transaction.length > 0) await this.#network.commit([...round.transaction, ...kept])
      this.#plan.confirm()
    } catch (error) {
      this.#plan.doubt(round)
      failure = this.#tell(error, round)
    }
    const committed = performance.now()
    let conntrackMs: number | undefined
    if (this.#plan.confirmed) {
      try {
        forgotten = forgetStale(this.#network, round.stale)
        if (round.stale.length > 0) conntrackMs = performance.now() - committed
        if (this.#onCut !== undefined && round.full) refusePickUp(this.#network)
        if (this.#onCut !== undefined) cut = cutDenied(this.#network, this.#plan, round.tightened, this.#onCut)
        cut += cutRevoked(this.#network, this.#plan, round.regranted)
      } catch (error) {
        this.#plan.doubt(round)
        failure = this.#tell(error, round)
      }
    }
    this.#onRound({
      full: round.full,
      operations: round.transaction.length,
      changes,
      compileMs: round.compileMs,
      loweringMs: round.loweringMs,
      commitMs: committed - planned,
      totalMs: performance.now() - begun,
      conntrackMs,
      forgotten,
      cut,
      failure,
    })
    return failure
  }

  async #kept(): Promise<Transaction> {
    return [...(await this.#keptSeats()), ...(await this.#keptNames())]
  }

  async #keptNames(): Promise<Transaction> {
    try {
      return await keptNames(this.#network, this.#plan)
    } catch (error) {
      this.#log.warn(
        { error: asError(error).message },
        'addresses of names cannot be read; they count when DNS tells them again',
      )
      return []
    }
  }

  async #keptSeats(): Promise<Transaction> {
    try {
      return await keptSeats(this.#network, this.#plan)
    } catch (error) {
      this.#log.warn({ error: asError(error).message }, 'clients’ seats cannot be read; affinity begins anew')
      return []
    }
  }

  async #updateModules(changes: Changes): Promise<Error | undefined> {
    let failure: Error | undefined
    for (const module of this.#modules) {
      const owed = this.#owed.get(module)
      const all = owed === undefined ? changes : mergeChanges(owed, changes)
      try {
        const pending = module.update(this.#snapshot, this.#plan.pods, all)
        if (pending !== undefined) await pending
        this.#owed.delete(module)
      } catch (error) {
        this.#owed.set(module, all)
        failure = asError(error)
        this.#log.error({ module: module.name, error: failure.message }, 'a part of the node could not be updated')
      }
    }
    return failure
  }

  #tell(error: unknown, round: Round): Error {
    const failure = asError(error)
    // A mistake of Plumb's own is not made good by trying again, but an agent that ends serves nobody.
    const stack = error instanceof HostError ? undefined : failure.stack
    this.#log.error(
      { error: failure.message, full: round.full, stack },
      'the kernel did not take the round; trying again with everything',
    )
    return failure
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
