import type { Endpoint } from '../endpoint.ts'
import type { BalancedRequest } from '../instance.ts'
import type { Random } from '../random.ts'

/** The endpoints that a request may go to, at least two, and what a policy made of them. */
export interface View {
  readonly endpoints: readonly Endpoint[]
  /** What `prepare` answered; made on the first pick. */
  prepared: unknown
}

/** What a pick may look at besides the endpoints. */
export interface PickContext {
  nowMs: number
  random: Random
  /** Number of picks so far; a pick of an explanation does not count. */
  sequence: number
  /** Moving average of the latency of all successes, milliseconds; 0 before the first. */
  usualMs: number
  /** Whether any endpoint is in its slow start, so that the rest need not look. */
  warming: boolean
  /** Exponent of slow start is 1/aggression, and the least share. */
  slowStart: { readonly aggression: number; readonly minWeightPercent: number }
}

/** Chooses one of several endpoints. A pick changes nothing but `context.random`, so that it can be told in advance. */
export interface Policy {
  readonly name: string
  /** Costly structures of a list: a ring, a table. Called once for each list. */
  prepare?(endpoints: readonly Endpoint[]): unknown
  /** An index into `view.endpoints`. */
  pick(view: View, request: BalancedRequest, context: PickContext): number
  /** Told of a pick that counts. */
  picked?(view: View): void
  /** Why the next pick will be this one; `context` is as it was for that pick. */
  because(view: View, picked: number, request: BalancedRequest, context: PickContext): string
}

/** Share of its weight that an endpoint gets now: `max(minimum, (t/window)^(1/aggression))`, as Envoy's slow start. */
export function warmth(endpoint: Endpoint, context: PickContext): number {
  const { nowMs, slowStart } = context
  if (endpoint.warmUntilMs <= nowMs) return 1
  const part = Math.max(0, nowMs - endpoint.warmSinceMs) / (endpoint.warmUntilMs - endpoint.warmSinceMs)
  return Math.max(slowStart.minWeightPercent / 100, part ** (1 / slowStart.aggression))
}

/** The first endpoint from `start` on that is warm enough for a throw of the dice; for policies that know no load. */
export function firstWarm(endpoints: readonly Endpoint[], start: number, context: PickContext): number {
  if (!context.warming) return start
  for (let i = 0; i < endpoints.length; i++) {
    const index = (start + i) % endpoints.length
    const share = warmth(endpoints[index]!, context)
    if (share >= 1 || context.random.next() < share) return index
  }
  return start
}
