import type { Network } from '../host/index.ts'
import type { Log } from './contract.ts'

/** How often the names of the tables are read, in milliseconds. */
const defaultIntervalMs = 10_000

interface Watched {
  /** `ip plumb-services` and the like. */
  readonly tables: () => readonly string[]
  /** Whether they should all be there now. */
  readonly calm: () => boolean
  readonly onLoss: () => void
  readonly intervalMs?: number | undefined
}

/**
 * Looks now and then whether the tables are still there: `nft flush ruleset` takes them from everybody, and until the next
 * change nobody else would notice. It reads their names alone, never their contents.
 */
export class TableWatch {
  readonly #network: Network
  readonly #watched: Watched
  readonly #log: Log
  readonly #timer: NodeJS.Timeout
  #stopped = false

  constructor(network: Network, watched: Watched, log: Log) {
    this.#network = network
    this.#watched = watched
    this.#log = log
    this.#timer = setInterval(() => void this.#look(), watched.intervalMs ?? defaultIntervalMs)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
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
