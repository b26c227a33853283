/** Growing pauses: each is twice the one before, from `firstMs` up to `lastMs`, less a random part of at most half. */
export interface Backoff {
  nextMs(): number
  reset(): void
}

/** A backoff at its beginning. */
export function startBackoff(firstMs: number, lastMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0
  return {
    nextMs() {
      const full = Math.min(lastMs, firstMs * 2 ** Math.min(attempt++, 30))
      return full * (1 - random() / 2)
    },
    reset() {
      attempt = 0
    },
  }
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
