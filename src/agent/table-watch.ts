import type { Network } from '../host/index.ts'
import type { Log } from './contract.ts'

/** How often the names of the tables are read, in milliseconds. */
const defaultIntervalMs = 10_000

interface Watched {
  /** `ip plumb-services` and the like. */
  readonly tables: () => readonly string[]
  /** Whether the kernel has what was planned, or a round that brings it there is under way already. */
  readonly known: () => boolean
  /** Whether they should all be there now. */
  readonly calm: () => boolean
  readonly onLoss: () => void
  readonly intervalMs?: number | undefined
}

/** How long further changes of others wait after one was made good: a program that insists must not keep the agent busy. */
const truceMs = 1000

/**
 * Hears at once when another program changes something inside the tables. What was changed is not asked: the next round is
 * whole. Looks now and then whether the tables are still there: `nft flush ruleset` takes them from everybody, and until the next
 * change nobody else would notice. It reads their names alone, never their contents.
 */
export class TableWatch {
  readonly #network: Network
  readonly #watched: Watched
  readonly #log: Log
  readonly #timer: NodeJS.Timeout
  readonly #watch: { close(): void }
  #truce: NodeJS.Timeout | undefined
  #broken = false
  #stopped = false

  constructor(network: Network, watched: Watched, log: Log) {
    this.#network = network
    this.#watched = watched
    this.#log = log
    this.#timer = setInterval(() => void this.#look(), watched.intervalMs ?? defaultIntervalMs)
    this.#timer.unref()
    this.#watch = network.watchTables(
      (table) => this.#hear(table),
      () => this.#hear(undefined),
    )
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#truce)
    this.#watch.close()
  }

  /** A change of another program; undefined when too many were made at once to be told. */
  #hear(table: string | undefined): void {
    const { tables, onLoss } = this.#watched
    if (this.#stopped || (table !== undefined && !tables().includes(table))) return
    if (this.#truce !== undefined) {
      this.#broken = true
      return
    }
    this.#truce = setTimeout(() => {
      this.#truce = undefined
      if (!this.#broken) return
      this.#broken = false
      this.#hear(table)
    }, truceMs).unref()
    if (!this.#watched.known()) return
    this.#log.warn({ table: table ?? 'unknown' }, 'another program changed a table; it is made again')
    onLoss()
  }

  async #look(): Promise<void> {
    const { calm, tables, onLoss } = this.#watched
    if (!calm()) return
    try {
      const there = new Set((await this.#network.tables()).map(({ family, name }) => `${family} ${name}`))
      const missing = tables().filter((table) => !there.has(table))
      if (missing.length === 0 || this.#stopped || !calm()) return
      this.#log.warn({ tables: missing }, 'another program took tables away; they are made again')
      onLoss()
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'the tables cannot be listed')
    }
  }
}
