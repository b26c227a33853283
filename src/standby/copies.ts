import type { Address } from '../addr/index.ts'
import { type Flow, keyOf } from './flow.ts'
import type { Message } from './message.ts'

/** Flows that a node keeps for all others together; what is beyond is not kept. */
const maximumFlows = 1 << 19

/** What this node knows of the connections of an address that another holds. */
interface Copy {
  readonly from: string
  flows: Map<string, Flow>
  /** What is being told from the beginning; it counts once it is whole. */
  filling: Map<string, Flow> | undefined
  isWhole: boolean
}

/** Copies of the connections of addresses that other nodes hold. */
export class Copies {
  readonly #copies = new Map<Address, Copy>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** What is known of the address, by the last holder that told everything. */
  find(address: Address): { readonly from: string; readonly flows: ReadonlyMap<string, Flow> } | undefined {
    const copy = this.#copies.get(address)
    return copy?.isWhole === true ? copy : undefined
  }

  list(): readonly { readonly address: Address; readonly from: string; readonly flows: number }[] {
    return [...this.#copies].flatMap(([address, { from, flows, isWhole }]) =>
      isWhole ? [{ address, from, flows: flows.size }] : [],
    )
  }

  /** Takes in what a holder says of addresses that are followed there; the flows that are new. */
  take(from: string, message: Message, isFollowed: (address: Address) => boolean): readonly Flow[] {
    switch (message.kind) {
      case 'begin': {
        if (!isFollowed(message.address)) return []
        const copy = this.#copies.get(message.address)
        if (copy?.from === from) copy.filling = new Map()
        // The former holder's counts until the new one's is whole.
        else
          this.#copies.set(message.address, {
            from,
            flows: copy?.flows ?? new Map(),
            filling: new Map(),
            isWhole: copy?.isWhole ?? false,
          })
        return []
      }
      case 'end': {
        const copy = this.#copies.get(message.address)
        if (copy?.from !== from || copy.filling === undefined) return []
        this.#count += copy.filling.size - copy.flows.size
        copy.flows = copy.filling
        copy.filling = undefined
        copy.isWhole = true
        return []
      }
      case 'flows':
        return message.flows.filter((flow) => this.#put(from, flow))
      case 'gone':
        for (const flow of message.flows) this.#remove(from, flow)
        return []
      case 'follow':
        return []
      default:
        return message satisfies never
    }
  }

  /** Forgets the addresses that are not among these. */
  keep(addresses: ReadonlySet<Address>): void {
    for (const [address, { flows }] of this.#copies) {
      if (addresses.has(address)) continue
      this.#copies.delete(address)
      this.#count -= flows.size
    }
  }

  /** Whether it is news for a copy that is whole. */
  #put(from: string, flow: Flow): boolean {
    const copy = this.#copies.get(flow.address)
    if (copy?.from !== from || this.#count >= maximumFlows) return false
    const key = keyOf(flow)
    if (copy.filling !== undefined) {
      if (copy.filling.size < maximumFlows) copy.filling.set(key, flow)
      return false
    }
    if (!copy.flows.has(key)) this.#count++
    copy.flows.set(key, flow)
    return true
  }

  #remove(from: string, flow: Flow): void {
    const copy = this.#copies.get(flow.address)
    if (copy?.from !== from) return
    const key = keyOf(flow)
    copy.filling?.delete(key)
    if (copy.filling === undefined && copy.flows.delete(key)) this.#count--
  }
}
