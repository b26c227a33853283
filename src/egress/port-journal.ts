import type { Address } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { PortRange } from './model.ts'

/** Ports of an address under which a pod may leave. */
export interface PortUse extends PortRange {
  readonly pod: ObjectKey
  readonly address: Address
}

/** The same over time, in ms since 1970; no end while it lasts. */
export interface PastUse extends PortUse {
  readonly fromMs: number
  readonly toMs: number | undefined
}

/** How many uses that have ended are kept. */
const kept = 10_000

/** Who had which ports of which address when, since this process began; the oldest uses that ended are forgotten first. */
export class PortJournal {
  readonly #now = new Map<string, PastUse>()
  readonly #past: PastUse[] = []

  /** These are the uses from now on; answers those that are new. */
  note(uses: readonly PortUse[], nowMs: number): readonly PortUse[] {
    const there = new Set(uses.map(idOf))
    for (const [id, use] of this.#now) {
      if (there.has(id)) continue
      this.#now.delete(id)
      this.#past.push({ ...use, toMs: nowMs })
    }
    if (this.#past.length > kept) this.#past.splice(0, this.#past.length - kept)
    const fresh = uses.filter((use) => !this.#now.has(idOf(use)))
    for (const use of fresh) this.#now.set(idOf(use), { ...use, fromMs: nowMs, toMs: undefined })
    return fresh
  }

  /** Who might have left under a port of an address at a time; several where pods share the ports of their node. */
  find(address: Address, port: number, atMs: number): readonly PastUse[] {
    const all = [...this.#past, ...this.#now.values()]
    return all.filter((use) => {
      const then = use.fromMs <= atMs && (use.toMs ?? Number.POSITIVE_INFINITY) > atMs
      return then && use.address === address && use.first <= port && port <= use.last
    })
  }
}

function idOf({ pod, address, first, last }: PortUse): string {
  return `${pod} ${address} ${first} ${last}`
}
