import { type Family, families } from '../addr/index.ts'
import type { Closed } from './content.ts'
import type { HeldSets } from './held-sets.ts'
import { tableOf } from './layout.ts'
import { chainName, type LoweredChain, lowerContent, type Operation } from './lower.ts'
import type { Direction } from './model.ts'

interface HeldChain {
  readonly lowered: Readonly<Record<Family, LoweredChain>>
  uses: number
}

/** The chains of one node's tables, shared by all pods that may do the same; each holds the sets that its rules need. */
export class HeldChains {
  readonly #families: readonly Family[]
  readonly #sets: HeldSets
  readonly #chains = new Map<string, HeldChain>()
  readonly #new = new Set<string>()
  readonly #gone = new Set<string>()

  constructor(only: readonly Family[], sets: HeldSets) {
    this.#families = only
    this.#sets = sets
  }

  get size(): number {
    return this.#chains.size
  }

  /** One pod more needs the chain of a content, which is made for the first; answers its name. */
  acquire(direction: Direction, content: Closed): string {
    const name = chainName(direction, content)
    const known = this.#chains.get(name)
    if (known !== undefined) {
      known.uses++
      return name
    }
    const lowered = {
      4: lowerContent(4, direction, content),
      6: lowerContent(6, direction, content),
    }
    this.#chains.set(name, { lowered, uses: 1 })
    this.#new.add(name)
    for (const family of this.#families) for (const need of lowered[family].needs) this.#sets.acquire(family, need)
    return name
  }

  /** One pod fewer needs a chain, which goes with the last, and lets its sets go. */
  release(name: string): void {
    const chain = this.#chains.get(name)!
    if (--chain.uses > 0) return
    this.#chains.delete(name)
    this.#gone.add(name)
    for (const family of this.#families) {
      for (const need of chain.lowered[family].needs) this.#sets.release(family, need.name)
    }
  }

  /** The chains that use one of these sets. */
  using(sets: ReadonlySet<string>): ReadonlySet<string> {
    const found = new Set<string>()
    for (const [name, { lowered }] of this.#chains) {
      if (families.some((family) => lowered[family].needs.some((need) => sets.has(need.name)))) found.add(name)
    }
    return found
  }

  /** Makes the chains that this round's pods need. */
  added(): readonly Operation[] {
    return [...this.#new].flatMap((name) => this.#families.flatMap((family) => this.#tell(family, name)))
  }

  /** Removes the chains that no pod needs any more. */
  removed(): readonly Operation[] {
    return [...this.#gone].flatMap((chain) =>
      this.#families.flatMap((family): Operation[] => {
        const at = tableOf(family)
        return [
          { kind: 'flush-chain', ...at, chain },
          { kind: 'delete-chain', ...at, chain },
        ]
      }),
    )
  }

  /** Ends a round: what was noted in it has been told. */
  settle(): void {
    for (const noted of [this.#new, this.#gone]) noted.clear()
  }

  /** Every chain, for a table that has none. */
  all(family: Family): readonly Operation[] {
    return [...this.#chains.keys()].flatMap((name) => this.#tell(family, name))
  }

  #tell(family: Family, name: string): readonly Operation[] {
    const at = tableOf(family)
    const { rules } = this.#chains.get(name)!.lowered[family]
    return [
      { kind: 'add-chain', ...at, chain: { name } },
      ...rules.map((rule): Operation => ({ kind: 'add-rule', ...at, chain: name, rule })),
    ]
  }
}
