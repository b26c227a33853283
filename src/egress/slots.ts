import type { Address } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { PortPlan } from './model.ts'
import { podsPerNode } from './ports.ts'

/** Which share of its node's ports of an address each pod has, where pods do not share them. A pod keeps its slot while it keeps the address. */
export class Slots {
  readonly #byAddress = new Map<Address, Map<number, ObjectKey>>()

  /** The slot of a pod, a free one if it has none; undefined when all are taken. */
  take(address: Address, pod: ObjectKey, plan: PortPlan): number | undefined {
    if (plan.perPod === undefined) return 0
    const taken = this.#byAddress.get(address) ?? new Map<number, ObjectKey>()
    this.#byAddress.set(address, taken)
    for (const [slot, holder] of taken) if (holder === pod) return slot
    for (let slot = 0; slot < podsPerNode(plan); slot++) {
      if (taken.has(slot)) continue
      taken.set(slot, pod)
      return slot
    }
    return undefined
  }

  release(address: Address, pod: ObjectKey): void {
    const taken = this.#byAddress.get(address)
    for (const [slot, holder] of taken ?? []) if (holder === pod) taken?.delete(slot)
    if (taken?.size === 0) this.#byAddress.delete(address)
  }
}
