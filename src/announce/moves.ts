import type { Address } from '../addr/index.ts'

/** How long the next holder has to get ready, in milliseconds. */
const prepareMs = 2000
/** How long the next holder expects the word to go, in milliseconds. */
const expectMs = 4000

/** Planned moves under way, away from this node and to it. */
export class Moves {
  readonly #going = new Map<Address, { readonly to: string; readonly until: number }>()
  readonly #coming = new Map<Address, { readonly from: string; readonly until: number }>()

  begin(address: Address, to: string, now: number): void {
    this.#going.set(address, { to, until: now + prepareMs })
  }

  isGoing(address: Address): boolean {
    return this.#going.has(address)
  }

  isGoingTo(address: Address, node: string): boolean {
    return this.#going.get(address)?.to === node
  }

  end(address: Address): void {
    this.#going.delete(address)
  }

  /** Moves whose next holder did not get ready in time. */
  expired(now: number): readonly { readonly address: Address; readonly to: string }[] {
    return [...this.#going].flatMap(([address, { to, until }]) => (until <= now ? [{ address, to }] : []))
  }

  expect(address: Address, from: string, now: number): void {
    this.#coming.set(address, { from, until: now + expectMs })
  }

  isExpected(address: Address, now: number): boolean {
    return (this.#coming.get(address)?.until ?? 0) > now
  }

  expectedFrom(node: string, now: number): readonly { readonly address: Address }[] {
    return [...this.#coming].flatMap(([address, { from, until }]) =>
      from === node && until > now ? [{ address }] : [],
    )
  }

  arrived(address: Address): void {
    this.#coming.delete(address)
  }
}
