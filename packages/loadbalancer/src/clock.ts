/** Time and timers; tests bring a virtual one. */
export interface Clock {
  /** Milliseconds that never go back, from any origin. */
  now(): number
  /** Calls back once after `ms`; returns the way to cancel. Must not keep the process alive. */
  after(ms: number, callback: () => void): () => void
}

/** The process's monotonic clock: steps of the wall clock do not touch it. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    // Node turns longer delays into 1 ms.
    const timer = setTimeout(callback, Math.min(ms, 0x7fff_ffff))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
