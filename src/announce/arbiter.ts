import { trustedPart } from './timing.ts'

/** How long the API server's vote counts after it was asked for, in milliseconds. */
export const arbiterMs = 2000

/** What a Lease object says: who has the API server's vote, and which version of the object it is. */
export interface ArbiterRecord {
  readonly holder: string
  readonly version: string
}

/**
 * One node's view of the API server's vote, which a Lease object stands for. Clocks of others are never compared: another's vote
 * has run out when its object has not changed for the whole time since this node first saw it so.
 */
export class Arbiter {
  readonly #node: string
  #record: ArbiterRecord | undefined
  #seenAt = 0
  #askedAt: number | undefined

  constructor(node: string) {
    this.#node = node
  }

  observe(record: ArbiterRecord, now: number): void {
    if (this.#record?.version === record.version) return
    this.#record = record
    this.#seenAt = now
  }

  /** Whether to write the object now: it may be taken, or has to be renewed. Undefined when another has the vote, or nobody has looked yet. */
  mayWrite(now: number): ArbiterRecord | undefined {
    const record = this.#record
    if (record === undefined) return undefined
    if (record.holder === this.#node) {
      const isFresh = this.#askedAt !== undefined && now - this.#askedAt < arbiterMs / 4
      return isFresh ? undefined : record
    }
    return record.holder === '' || now - this.#seenAt >= arbiterMs ? record : undefined
  }

  /** The object was written in this node's name, asked for at `askedAt`; gives until when the vote counts. */
  written(record: ArbiterRecord, askedAt: number, now: number): number {
    this.observe(record, now)
    this.#askedAt = askedAt
    return askedAt + arbiterMs * trustedPart
  }
}
