import type { Endpoint } from '../endpoint.ts'
import { addressOf } from '../instance.ts'
import { type PickContext, type Policy, type View, warmth } from './policy.ts'

/** Load of an endpoint nobody has measured while its first request is under way and nobody else was measured: above any other. */
const unknownPenalty = 1e12

/** How much slower than the others an endpoint is taken to be until its first answer. */
const coldFactor = 4

/** At a failure rate of 1 an endpoint looks this much fuller: a replica that fails at once is always idle. */
const failureFactor = 100

type Load = (endpoint: Endpoint, context: PickContext) => number

/** Requests under way, per weight. */
const leastRequestLoad: Load = (endpoint, context) => adjusted(endpoint.active + 1, endpoint, context)

/** Latency × (requests under way + 1), per weight. What was never measured gets one request soon, and few more before it answers. */
const peakEwmaLoad: Load = (endpoint, context) => {
  if (endpoint.samples > 0)
    return adjusted(endpoint.latencyMs(context.nowMs) * (endpoint.active + 1), endpoint, context)
  if (endpoint.active === 0) return 0
  if (context.usualMs === 0) return unknownPenalty + endpoint.active
  const guessMs = Math.max(coldFactor * context.usualMs, context.nowMs - endpoint.progressMs)
  return adjusted(guessMs * (endpoint.active + 1), endpoint, context)
}

function adjusted(load: number, endpoint: Endpoint, context: PickContext): number {
  let share = endpoint.weight
  if (context.warming) share *= warmth(endpoint, context)
  if (endpoint.failureRate === 0) return load / share
  return (load * (1 + failureFactor * endpoint.failureRateAt(context.nowMs))) / share
}

/** The less loaded of two at random (power of two choices). */
class PowerOfTwo implements Policy {
  readonly name: string
  readonly #load: Load
  readonly #unit: string

  constructor(name: string, load: Load, unit: string) {
    this.name = name
    this.#load = load
    this.#unit = unit
  }

  pick(view: View, _request: unknown, context: PickContext): number {
    const { endpoints } = view
    const first = context.random.int(endpoints.length)
    let second = context.random.int(endpoints.length - 1)
    if (second >= first) second++
    return this.#load(endpoints[second]!, context) < this.#load(endpoints[first]!, context) ? second : first
  }

  because(view: View, picked: number, _request: unknown, context: PickContext): string {
    const first = context.random.int(view.endpoints.length)
    let second = context.random.int(view.endpoints.length - 1)
    if (second >= first) second++
    const other = view.endpoints[picked === first ? second : first]!
    const loads = [view.endpoints[picked]!, other].map((endpoint) => this.#load(endpoint, context).toPrecision(3))
    return `of two at random it has the lower load: ${loads[0]} against ${loads[1]} of ${addressOf(other.instance)} (${this.#unit})`
  }
}

/** Fewest requests under way. */
export const leastRequest: Policy = new PowerOfTwo(
  'least-request',
  leastRequestLoad,
  '(requests + 1) ÷ weight, times failures',
)

/** Shortest expected wait, by a latency average that rises with a peak at once and falls slowly. */
export const peakEwma: Policy = new PowerOfTwo(
  'peak-ewma',
  peakEwmaLoad,
  'milliseconds × (requests + 1) ÷ weight, times failures',
)
