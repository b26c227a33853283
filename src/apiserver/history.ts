import type { StoreEvent } from './entry.ts'

/** How many events are kept for watchers that come back, and for lists at an earlier revision, unless told otherwise. */
export const defaultHistoryLimit = 10_000
/** The history is cut in steps of a twentieth, so that a busy writer does not pay for it on each commit. */
const steps = 20

/** The latest events in the order of revisions. */
export class History {
  readonly #limit: number
  #events: StoreEvent[] = []
  #compacted: number

  constructor(limit: number, compacted: number) {
    this.#limit = limit
    this.#compacted = compacted
  }

  /** The highest revision whose events are gone. */
  get compacted(): number {
    return this.#compacted
  }

  add(events: readonly StoreEvent[]): void {
    this.#events.push(...events)
  }

  /** The events that are too many by now; they stay until `drop` is told that the database has forgotten them. */
  excess(): readonly StoreEvent[] {
    const count = this.#events.length - this.#limit
    return count >= this.#limit / steps ? this.#events.slice(0, count) : []
  }

  drop(events: readonly StoreEvent[]): void {
    if (events.length === 0) return
    this.#compacted = events.at(-1)!.revision
    this.#events = this.#events.slice(events.length)
  }

  /** The events of a collection after `revision`, or undefined when some of them are gone. */
  since(collection: string, revision: number): StoreEvent[] | undefined {
    if (revision < this.#compacted) return undefined
    const events: StoreEvent[] = []
    for (let i = this.#firstAfter(revision); i < this.#events.length; i++) {
      if (this.#events[i]!.entry.collection === collection) events.push(this.#events[i]!)
    }
    return events
  }

  #firstAfter(revision: number): number {
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#events[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The log rows that nobody needs once this event has left the history. */
export function forgottenRows(event: StoreEvent): number[] {
  const rows = event.previous === undefined ? [] : [event.previous.revision]
  if (event.type === 'DELETED') rows.push(event.revision)
  return rows
}
