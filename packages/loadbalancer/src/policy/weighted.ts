import type { Endpoint } from '../endpoint.ts'
import { firstWarm, type PickContext, type Policy, type View } from './policy.ts'

const scale = 65_535

/** Weights scaled so that the largest is 65535, and the place of the next look at the schedule. */
interface Schedule {
  readonly weights: Uint16Array
  position: number
}

function prepare(endpoints: readonly Endpoint[]): Schedule {
  const largest = endpoints.reduce((most, endpoint) => Math.max(most, endpoint.weight), 0)
  return {
    weights: Uint16Array.from(endpoints, ({ weight }) => Math.max(1, Math.round((weight / largest) * scale))),
    position: 0,
  }
}

/**
 * Whether an endpoint is passed over in a round. In round r it has had floor(r·w/max) turns; it is due when that number
 * rises. The offset of half the scale by index keeps light endpoints from all being due in the same round
 * (static stride scheduling, gRFC A58).
 */
function isDue(weight: number, index: number, round: number): boolean {
  const offset = (scale >> 1) * index
  return (weight * round + offset) % scale >= scale - weight
}

function next(schedule: Schedule, from: number): number {
  const count = schedule.weights.length
  let position = from
  // The heaviest has the full scale and is due in every round, so two rounds always find one.
  for (let i = 0; i <= 2 * count; i++, position++) {
    const index = position % count
    if (isDue(schedule.weights[index]!, index, Math.floor(position / count))) return position
  }
  return position
}

/** Proportional to weights, evenly interleaved; the cost of a pick does not depend on the weights. */
export class Weighted implements Policy {
  readonly name = 'weighted'

  prepare(endpoints: readonly Endpoint[]): Schedule {
    return prepare(endpoints)
  }

  pick(view: View, _request: unknown, context: PickContext): number {
    const schedule = view.prepared as Schedule
    const position = next(schedule, schedule.position)
    return firstWarm(view.endpoints, position % view.endpoints.length, context)
  }

  /** Moves on after a pick that counts. */
  picked(view: View): void {
    const schedule = view.prepared as Schedule
    schedule.position = next(schedule, schedule.position) + 1
  }

  because(view: View, picked: number): string {
    const all = view.endpoints.reduce((sum, { weight }) => sum + weight, 0)
    const own = view.endpoints[picked]!.weight
    return `weight ${own} of ${all}: it is due in the schedule`
  }
}
