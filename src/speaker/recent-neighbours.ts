import type { Address } from '../addr/index.ts'

/** As many as are told directly that an address has moved. */
const maximum = 64

/** The machines of a link that were heard last. */
export class RecentNeighbours {
  readonly #macs = new Map<Address, string>()

  hear(address: Address, mac: string): void {
    this.#macs.delete(address)
    this.#macs.set(address, mac)
    if (this.#macs.size > maximum) this.#macs.delete(this.#macs.keys().next().value as Address)
  }

  list(): readonly { readonly address: Address; readonly mac: string }[] {
    return [...this.#macs].map(([address, mac]) => ({ address, mac }))
  }
}
