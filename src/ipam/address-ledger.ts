import type { AddressRequest, Allocation } from './address-request.ts'
import { allocate } from './allocate.ts'
import type { ExternalPool } from './external-pool.ts'

/** All requests for external addresses and what became of them, whoever asks: of two users of one pool neither gets the other's. */
export class AddressLedger {
  #pools: readonly ExternalPool[] = []
  readonly #requests = new Map<string, AddressRequest>()
  #allocations: ReadonlyMap<string, Allocation> = new Map()

  get pools(): readonly ExternalPool[] {
    return this.#pools
  }

  get allocations(): ReadonlyMap<string, Allocation> {
    return this.#allocations
  }

  setPools(pools: readonly ExternalPool[]): void {
    this.#pools = pools
  }

  /** What was given to the request before counts as held, also while its status does not tell it yet. */
  put(request: AddressRequest): void {
    this.#requests.set(request.key, request)
  }

  delete(key: string): void {
    this.#requests.delete(key)
  }

  /** Allocates anew; gives the keys whose allocation has changed. */
  settle(): readonly string[] {
    const before = this.#allocations
    const requests = [...this.#requests.values()].map((request): AddressRequest => {
      const known = before.get(request.key)
      return known?.kind === 'assigned' ? { ...request, held: known.addresses } : request
    })
    this.#allocations = allocate(this.#pools, requests)
    const keys = new Set([...before.keys(), ...this.#allocations.keys()])
    return [...keys].filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(this.#allocations.get(key)))
  }
}
