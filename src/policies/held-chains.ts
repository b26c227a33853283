import { type Family, families } from '../addr/index.ts'
import type { HeldSets } from './held-sets.ts'
import type { Operation } from './language.ts'
import { tableOf } from './layout.ts'
import type { LoweredChain } from './lower.ts'
import type { ChainPlan } from './lower-chain.ts'

interface HeldChain {
  readonly lowered: Readonly<Record<Family, LoweredChain>>
  readonly calls: readonly string[]
  readonly denies: boolean
  /** Whether it asks for domain names, itself or by a chain that it leads to. */
  readonly asksNames: boolean
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

  /** One pod (or chain) more needs a chain, which is made for the first, after those that it calls; answers its name. */
  acquire(plan: ChainPlan): string {
    const { name, calls, denies } = plan
    const known = this.#chains.get(name)
    if (known !== undefined) {
      known.uses++
      return name
    }
    const called = calls.map((one) => this.acquire(one))
    const lowered = { 4: plan.lower(4), 6: plan.lower(6) }
    const asksNames = lowered[4].needs.some(({ kind }) => kind === 'names') || called.some((one) => this.asksNames(one))
    this.#chains.set(name, { lowered, calls: called, denies, asksNames, uses: 1 })
    this.#new.add(name)
    for (const family of this.#families) for (const need of lowered[family].needs) this.#sets.acquire(family, need)
    return name
  }

  /** Whether a chain, or one that it leads to, has rules for domain names. */
  asksNames(name: string): boolean {
    return this.#chains.get(name)?.asksNames ?? false
  }

  /** One pod (or chain) fewer needs a chain, which goes with the last, and lets its sets and those that it calls go. */
  release(name: string): void {
    const chain = this.#chains.get(name)!
    if (--chain.uses > 0) return
    this.#chains.delete(name)
    this.#gone.add(name)
    for (const family of this.#families) {
      for (const need of chain.lowered[family].needs) this.#sets.release(family, need.name)
    }
    for (const called of chain.calls) this.release(called)
  }

  /** The chains that may deny more now: those for which a set lost an address, or gained one where they deny by it; and their callers. */
  tightened({
    lost,
    gained,
  }: {
    readonly lost: ReadonlySet<string>
    readonly gained: ReadonlySet<string>
  }): Set<string> {
    const found = new Set<string>()
    // Called chains come before their callers.
    for (const [name, { lowered, calls, denies }] of this.#chains) {
      const tight = families.some((family) =>
        lowered[family].needs.some((need) => lost.has(need.name) || (denies && gained.has(need.name))),
      )
      if (tight || calls.some((one) => found.has(one))) found.add(name)
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
