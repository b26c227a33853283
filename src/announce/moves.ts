import type { Address } from '../addr/index.ts'
import type { Heartbeat, Move } from './message.ts'

/** How long the next holder has to get ready, in milliseconds. */
const prepareMs = 2000
/** How long the next holder expects the word to go, in milliseconds. */
const expectMs = 4000

/** What a planned move has the election do. */
export interface MoveSteps {
  send(to: string, message: Move): void
  /** Gets ready for an address that another node is about to hand over. */
  prepare(address: Address, from: string): void
  /** Lets an address go to a node that is ready for it; the heartbeat that gives the votes back is sent at once. */
  letGo(address: Address, to: string, now: number): void
  /** Asks for votes on an address that its former holder has let go. */
  ask(address: Address): void
}

/** Planned moves under way, away from this node and to it: `prepare`, `ready`, the votes given back, `go`. */
export class Moves {
  readonly #node: string
  readonly #steps: MoveSteps
  readonly #going = new Map<Address, { readonly to: string; readonly until: number }>()
  readonly #coming = new Map<Address, { readonly from: string; readonly until: number }>()

  constructor(node: string, steps: MoveSteps) {
    this.#node = node
    this.#steps = steps
  }

  /** Has the next holder get ready. */
  begin(address: Address, to: string, now: number): void {
    this.#going.set(address, { to, until: now + prepareMs })
    this.#send(to, 'prepare', address)
  }

  /** This node is ready to take an address. */
  prepared(address: Address, from: string): void {
    this.#send(from, 'ready', address)
  }

  /** `mayHold`: whether this node may hold the address that the message is about. */
  receive({ phase, from, address }: Move, mayHold: boolean, now: number): void {
    if (phase === 'prepare' && mayHold) {
      this.#coming.set(address, { from, until: now + expectMs })
      this.#steps.prepare(address, from)
    }
    if (phase === 'ready' && this.#going.get(address)?.to === from) {
      this.end(address)
      // The heartbeat that gives the votes back leaves before the word to go.
      this.#steps.letGo(address, from, now)
      this.#send(from, 'go', address)
    }
    if (phase === 'go' && this.isExpected(address, now)) this.#steps.ask(address)
  }

  /** A heartbeat that does not name an address any more says as much as the word to go. */
  heard(heartbeat: Heartbeat, now: number): void {
    for (const [address, { from, until }] of this.#coming) {
      if (from !== heartbeat.from || until <= now) continue
      const stillThere = heartbeat.wants.some((want) => want.address === address)
      if (!stillThere) this.#steps.ask(address)
    }
  }

  isGoing(address: Address): boolean {
    return this.#going.has(address)
  }

  isExpected(address: Address, now: number): boolean {
    return (this.#coming.get(address)?.until ?? 0) > now
  }

  /** Ends the moves whose next holder did not get ready in time, and gives them. */
  takeExpired(now: number): readonly { readonly address: Address; readonly to: string }[] {
    const expired = [...this.#going].flatMap(([address, { to, until }]) => (until <= now ? [{ address, to }] : []))
    for (const { address } of expired) this.end(address)
    return expired
  }

  /** The address does not go away from here any more. */
  end(address: Address): void {
    this.#going.delete(address)
  }

  /** This node has got the address. */
  arrived(address: Address): void {
    this.#coming.delete(address)
  }

  #send(to: string, phase: Move['phase'], address: Address): void {
    this.#steps.send(to, { kind: 'move', phase, from: this.#node, to, address })
  }
}
