import type { Address } from '../addr/index.ts'
import type { AddressClaim, OwnershipSource, Snapshot } from '../cluster/index.ts'
import { egressClaims } from '../egress/index.ts'

/** How long a node goes on telling an address that another one has taken over, in milliseconds: peers hear of the new way before the old one ends. */
export const lingerMs = 3000

/** The egress addresses that a node tells: those that it holds, and those that another has taken over from it just now. */
export class HeldAddresses {
  readonly #node: string
  readonly #ownership: OwnershipSource | undefined
  readonly #now: () => number
  #claims: readonly AddressClaim[] = []
  #egresses: Snapshot['egresses'] | undefined
  /** When an address that was held was seen with another node. */
  readonly #handedOver = new Map<Address, number>()
  #held: ReadonlySet<Address> = new Set()

  constructor(node: string, ownership: OwnershipSource | undefined, now: () => number = () => performance.now()) {
    this.#node = node
    this.#ownership = ownership
    this.#now = now
  }

  /** Takes in the Egresses that there are. */
  setEgresses(snapshot: Pick<Snapshot, 'egresses'>): void {
    this.#claims = egressClaims(snapshot.egresses.values(), [])
    this.#egresses = snapshot.egresses
  }

  /** What is to be told now; `again` in so many milliseconds, because something lingers. */
  look(): { readonly held: readonly Pick<AddressClaim, 'address' | 'because'>[]; readonly again: number | undefined } {
    if (this.#egresses === undefined || this.#egresses.size === 0) return { held: [], again: undefined }
    const owners = this.#ownership?.owners() ?? new Map<Address, string>()
    const now = this.#now()
    const own = new Set([...owners].flatMap(([address, node]) => (node === this.#node ? [address] : [])))
    for (const address of this.#held) {
      // Nobody's: this node is cut off, and what comes to it would end here.
      if (!own.has(address) && owners.has(address) && !this.#handedOver.has(address)) this.#handedOver.set(address, now)
    }
    for (const [address, since] of this.#handedOver)
      if (own.has(address) || !owners.has(address) || now - since >= lingerMs) this.#handedOver.delete(address)
    const held = this.#claims.filter(({ address }) => own.has(address) || this.#handedOver.has(address))
    this.#held = own
    const first = Math.min(...this.#handedOver.values())
    return { held, again: this.#handedOver.size === 0 ? undefined : Math.max(0, first + lingerMs - now) + 1 }
  }
}
