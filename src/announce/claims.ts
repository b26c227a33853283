import type { Address } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import { rankNodes } from './rank.ts'

interface Ranked {
  readonly claim: AddressClaim
  readonly ranked: readonly string[]
}

/** The addresses that there are, and who may hold each, best first. */
export class Claims {
  #byAddress: ReadonlyMap<Address, Ranked> = new Map()

  /** Takes what there is now; gives the addresses that are no more. */
  set(claims: Iterable<AddressClaim>): readonly Address[] {
    const before = this.#byAddress
    this.#byAddress = new Map([...claims].map((claim) => [claim.address, rank(claim, before.get(claim.address))]))
    return [...before.keys()].filter((address) => !this.#byAddress.has(address))
  }

  has(address: Address): boolean {
    return this.#byAddress.has(address)
  }

  addresses(): IterableIterator<Address> {
    return this.#byAddress.keys()
  }

  /** The nodes that may hold the address, best first. */
  ranked(address: Address): readonly string[] {
    return this.#byAddress.get(address)?.ranked ?? []
  }

  mayHold(address: Address, node: string): boolean {
    return this.ranked(address).includes(node)
  }

  /** Whether `other` comes before `node`. */
  isBetter(address: Address, other: string, node: string): boolean {
    const ranked = this.ranked(address)
    const theirs = ranked.indexOf(other)
    return theirs >= 0 && theirs < ranked.indexOf(node)
  }
}

/** Ranking costs a hash per node, so that of a claim which did not change is kept. */
function rank(claim: AddressClaim, known: Ranked | undefined): Ranked {
  const isSame =
    known !== undefined &&
    known.claim.eligible.join() === claim.eligible.join() &&
    JSON.stringify([...(known.claim.preference ?? [])]) === JSON.stringify([...(claim.preference ?? [])])
  return { claim, ranked: isSame ? known.ranked : rankNodes(claim) }
}
