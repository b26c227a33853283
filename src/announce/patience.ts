import type { Address } from '../addr/index.ts'

/** Since when what has been so, by address, in milliseconds of the election's clock. */
export class Patience {
  readonly #ownerless = new Map<Address, number>()
  readonly #pausedUntil = new Map<Address, number>()
  readonly #lackingSince = new Map<Address, number>()

  /** For how long nobody has been known to hold the address. */
  ownerlessFor(address: Address, now: number): number {
    const since = this.#ownerless.get(address) ?? now
    this.#ownerless.set(address, since)
    return now - since
  }

  /** Somebody holds it. */
  hasOwner(address: Address): void {
    this.#ownerless.delete(address)
  }

  pause(address: Address, until: number): void {
    this.#pausedUntil.set(address, until)
  }

  /** Until when the address is left alone. */
  pausedUntil(address: Address): number {
    return this.#pausedUntil.get(address) ?? 0
  }

  /** For how long the address has been asked for without a majority. */
  lackingFor(address: Address, hasMajority: boolean, now: number): number {
    const since = hasMajority ? undefined : (this.#lackingSince.get(address) ?? now)
    if (since === undefined) this.#lackingSince.delete(address)
    else this.#lackingSince.set(address, since)
    return since === undefined ? 0 : now - since
  }

  /** It is not asked for any more. */
  released(address: Address): void {
    this.#lackingSince.delete(address)
  }

  forget(address: Address): void {
    this.#ownerless.delete(address)
    this.#pausedUntil.delete(address)
    this.#lackingSince.delete(address)
  }
}
