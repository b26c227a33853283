import { externalAddresses } from '../explain/index.ts'
import type { State } from './source.ts'

/** An external address that came to another node while the page was served. */
export interface Move {
  /** RFC 3339: when the new holder says that it took it, else when it was seen. */
  readonly at: string
  readonly address: string
  readonly from: string | undefined
  readonly to: string | undefined
  readonly why: string | undefined
}

const kept = 200

/** Who held each address, by one state after another. */
export class HolderJournal {
  readonly #moves: Move[] = []
  #holders: Map<string, string | undefined> | undefined

  /** The newest first. */
  get moves(): readonly Move[] {
    return this.#moves.toReversed()
  }

  /** The first state is where it begins: nothing has moved yet. */
  note({ snapshot }: Pick<State, 'snapshot'>, now: string): void {
    const holders = new Map<string, string | undefined>()
    for (const { address, elected, holders: told } of externalAddresses(snapshot)) {
      if (!elected) continue
      const first = told.find(({ stale }) => stale === undefined)
      holders.set(address, first?.node)
      const before = this.#holders
      if (before === undefined || before.get(address) === first?.node) continue
      const { node: to, since, why } = first ?? {}
      this.#moves.push({ at: since ?? now, address, from: before.get(address), to, why })
    }
    this.#moves.splice(0, this.#moves.length - kept)
    this.#holders = holders
  }
}
