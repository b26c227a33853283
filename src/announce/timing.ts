/** How fast nodes notice that another is gone. */
export interface Timing {
  /** Between two heartbeats, in milliseconds. */
  readonly intervalMs: number
  /** After what time a heartbeat that a node did not answer is sent to it again, in milliseconds. */
  readonly retryMs: number
  /** How long a vote counts after the heartbeat that asked for it, in milliseconds; at most `maximumLeaseMs`. */
  readonly leaseMs: number
}

/** Intervals in a lease. Beside the two heartbeats that fall into it, it has room for seven that are sent again. */
const intervalsPerLease = 2.5

const retriesPerInterval = 4

/**
 * The longest lease that any node of the cluster may ask for, in milliseconds. A node that starts has forgotten to whom it gave its
 * votes, so it gives none for this long.
 */
export const maximumLeaseMs = 1000

/** Heartbeats more often cost more than they bring: a node that is busy for a moment would be gone. In milliseconds. */
const shortestIntervalMs = 20

/** Heartbeats each so many milliseconds; throws when that is too often, or so seldom that votes would count for too long. */
export function timingOf(intervalMs: number): Timing {
  const longest = maximumLeaseMs / intervalsPerLease
  if (!(intervalMs >= shortestIntervalMs && intervalMs <= longest))
    throw new TypeError(
      `heartbeats each ${intervalMs} ms: give ${shortestIntervalMs} to ${longest} ms, the same on all nodes`,
    )
  return { intervalMs, retryMs: intervalMs / retriesPerInterval, leaseMs: intervalMs * intervalsPerLease }
}

export const defaultTiming: Timing = timingOf(200)

/** The part of a lease that its holder counts on: clocks that run up to 10 % apart do no harm. */
export const trustedPart = 0.9
