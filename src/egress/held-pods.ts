import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { Finding, ObjectKey } from '../cluster/index.ts'
import type { Held } from './holding.ts'
import type { HeldTable } from './language.ts'
import type { PortUse } from './port-journal.ts'
import { Slots } from './slots.ts'

/** What is held for each pod of this node: elements by its addresses, chains that pods with the same way out share, and ports. */
export class HeldPods {
  readonly #tables: ReadonlyMap<Family, HeldTable>
  readonly #held = new Map<ObjectKey, Held>()
  readonly #byAddress = new Map<Address, ObjectKey>()
  /** How many pods use a chain. */
  readonly #uses = new Map<string, number>()
  readonly slots = new Slots()

  constructor(tables: ReadonlyMap<Family, HeldTable>) {
    this.#tables = tables
  }

  get size(): number {
    return this.#held.size
  }

  get findings(): readonly Finding[] {
    return [...this.#held.values()].flatMap(({ findings }) => findings)
  }

  /** Which pods may leave under which addresses and ports. */
  get portUses(): readonly PortUse[] {
    return [...this.#held.values()].flatMap(({ uses }) => uses)
  }

  keys(): Iterable<ObjectKey> {
    return this.#held.keys()
  }

  get(key: ObjectKey): Held | undefined {
    return this.#held.get(key)
  }

  knows(address: Address): boolean {
    return this.#byAddress.has(address)
  }

  /** Pods whose way out is by one of these addresses, or would be if it had an owner. */
  leavingUnder(addresses: ReadonlySet<Address>): ObjectKey[] {
    return [...this.#held].flatMap(([key, { chosen }]) => (chosen.some((one) => addresses.has(one)) ? [key] : []))
  }

  /** Puts a pod in the place of what is held of it: elements, uses of chains, slots. */
  put(key: ObjectKey, next: Held | undefined): void {
    const old = this.#held.get(key)
    for (const { family, name, rules } of next?.chains ?? []) {
      this.#tables.get(family)?.setChain(name, rules)
      this.#use(family, name, 1)
    }
    for (const address of new Set([...(old?.pod.addresses ?? []), ...(next?.pod.addresses ?? [])])) {
      const family = familyOf(address)
      const now = next?.pod.addresses.includes(address) ? next : undefined
      if (now === undefined && this.#byAddress.get(address) !== key) continue
      const table = this.#tables.get(family)
      for (const map of ['steer', 'translate', 'guard']) {
        const chain = now?.chains.find((one) => one.family === family && one.name.startsWith(map))
        table?.put(map, address, chain === undefined ? false : `goto ${chain.name}`)
      }
      table?.put('known', address, now === undefined ? false : undefined)
      if (now === undefined) this.#byAddress.delete(address)
      else this.#byAddress.set(address, key)
    }
    for (const { family, name } of old?.chains ?? []) this.#use(family, name, -1)
    for (const { address } of old?.uses ?? [])
      if (!next?.uses.some((one) => one.address === address)) this.slots.release(address, key)
    if (next === undefined) this.#held.delete(key)
    else this.#held.set(key, next)
  }

  #use(family: Family, name: string, by: 1 | -1): void {
    const id = `${family} ${name}`
    const uses = (this.#uses.get(id) ?? 0) + by
    if (uses > 0) this.#uses.set(id, uses)
    else {
      this.#uses.delete(id)
      this.#tables.get(family)?.removeChain(name)
    }
  }
}
