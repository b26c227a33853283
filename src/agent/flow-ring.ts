import type { NamedFlow } from './denied-flows.ts'
import type { DeniedFlow, FlowsResponse } from './observe.ts'

/** Flows that are remembered; beyond it those that were seen last longest ago are forgotten. */
const maximum = 4096

/** Denied and audited flows of late, each once with how often it was seen. */
export class FlowRing {
  readonly #flows = new Map<string, DeniedFlow>()
  readonly #maximum: number
  #sequence = 0

  constructor(most = maximum) {
    this.#maximum = most
  }

  /** Takes in one packet; answers the flow that it belongs to. */
  add(flow: NamedFlow, now = new Date()): DeniedFlow {
    const { verdict, direction, address, peer, protocol, port } = flow
    const key = [verdict, direction, address, peer.address, protocol, port].join(' ')
    const known = this.#flows.get(key)
    const time = now.toISOString()
    const next: DeniedFlow = {
      ...flow,
      sequence: ++this.#sequence,
      firstSeen: known?.firstSeen ?? time,
      lastSeen: time,
      packets: (known?.packets ?? 0) + 1,
    }
    this.#flows.delete(key)
    this.#flows.set(key, next)
    if (this.#flows.size > this.#maximum) this.#flows.delete(this.#flows.keys().next().value as string)
    return next
  }

  /** Flows that were seen after a point in the sequence, in order; `next` is the point to go on from. */
  since(after: number, namespace?: string): Pick<FlowsResponse, 'flows' | 'next'> {
    const flows = [...this.#flows.values()].filter(
      ({ sequence, pod }) => sequence > after && (namespace === undefined || pod.startsWith(`${namespace}/`)),
    )
    return { flows, next: this.#sequence }
  }
}
