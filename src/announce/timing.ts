/** How fast nodes notice that another is gone. */
export interface Timing {
  /** Between two heartbeats, in milliseconds. */
  readonly intervalMs: number
  /** How long a vote counts after the heartbeat that asked for it, in milliseconds; several intervals, and at most `maximumLeaseMs`. */
  readonly leaseMs: number
}

/** Three heartbeats of 200 ms. */
export const defaultTiming: Timing = { intervalMs: 200, leaseMs: 600 }

/**
 * The longest lease that any node of the cluster may ask for, in milliseconds. A node that starts has forgotten to whom it gave its
 * votes, so it gives none for this long.
 */
export const maximumLeaseMs = 1000

/** Heartbeats more often cost more than they bring: a node that is busy for a moment would be gone. In milliseconds. */
const shortestIntervalMs = 20

/** Three heartbeats of so many milliseconds; throws when that is too fast, or longer than votes may count. */
export function timingOf(intervalMs: number): Timing {
  const longest = Math.floor(maximumLeaseMs / 3)
  if (!(intervalMs >= shortestIntervalMs && intervalMs <= longest))
    throw new TypeError(
      `heartbeats each ${intervalMs} ms: give ${shortestIntervalMs} to ${longest} ms, the same on all nodes`,
    )
  return { intervalMs, leaseMs: 3 * intervalMs }
}

/** The part of a lease that its holder counts on: clocks that run up to 10 % apart do no harm. */
export const trustedPart = 0.9
