/** A keyed work queue: a key is worked on by one worker at a time, and adding it again while it waits changes nothing. */
export interface Queue {
  add(key: string): void
  /** Adds the key once `ms` have passed; an earlier due time wins over a later one. */
  addAfter(key: string, ms: number): void
  /** Begins to work; what was added before is kept. */
  start(): void
  /** Resolves when nothing waits and nothing is worked on; pauses of failed keys do not count. */
  idle(): Promise<void>
  /** Ends; resolves when the work under way is done. */
  close(): Promise<void>
}

/** How a queue works. */
export interface QueueOptions {
  readonly name: string
  /** Brings the object of this key to what it should be. A throw is retried: 5 ms, 10 ms, … 30 s. */
  readonly work: (key: string) => Promise<void>
  /** Keys worked on at a time. Default 4. */
  readonly workers?: number
  /** Told of each failed attempt. */
  readonly onError?: (key: string, error: unknown, attempt: number) => void
}

const firstRetryMs = 5
const lastRetryMs = 30_000

/** An idle queue. */
export function openQueue(options: QueueOptions): Queue {
  return new WorkQueue(options)
}

class WorkQueue implements Queue {
  readonly #options: QueueOptions
  /** In order of arrival. */
  readonly #waiting = new Set<string>()
  readonly #working = new Set<string>()
  /** Added while being worked on. */
  readonly #dirty = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, { readonly due: number; readonly timer: NodeJS.Timeout }>()
  #idlers: (() => void)[] = []
  #started = false
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  add(key: string): void {
    if (this.#closed) return
    if (this.#working.has(key)) this.#dirty.add(key)
    else this.#waiting.add(key)
    this.#pump()
  }

  addAfter(key: string, ms: number): void {
    if (this.#closed) return
    if (ms <= 0) {
      this.add(key)
      return
    }
    const due = Date.now() + ms
    const known = this.#timers.get(key)
    if (known !== undefined && known.due <= due) return
    clearTimeout(known?.timer)
    // setTimeout takes at most 2^31-1 ms; a due time beyond is looked at again then.
    const timer = setTimeout(
      () => {
        this.#timers.delete(key)
        this.add(key)
      },
      Math.min(ms, 2_147_483_647),
    )
    this.#timers.set(key, { due, timer })
  }

  start(): void {
    this.#started = true
    this.#pump()
  }

  idle(): Promise<void> {
    if (this.#waiting.size === 0 && this.#working.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idlers.push(resolve))
  }

  close(): Promise<void> {
    this.#closed = true
    this.#waiting.clear()
    this.#dirty.clear()
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    return this.idle()
  }

  #pump(): void {
    if (!this.#started) return
    const workers = this.#options.workers ?? 4
    for (const key of this.#waiting) {
      if (this.#working.size >= workers) return
      this.#waiting.delete(key)
      this.#working.add(key)
      this.#run(key)
    }
    if (this.#waiting.size > 0 || this.#working.size > 0) return
    for (const resolve of this.#idlers.splice(0)) resolve()
  }

  async #run(key: string): Promise<void> {
    try {
      // Later in this turn at the earliest, so that a burst of events about one key becomes one piece of work.
      await Promise.resolve()
      await this.#options.work(key)
      this.#failures.delete(key)
    } catch (error) {
      const attempt = (this.#failures.get(key) ?? 0) + 1
      this.#failures.set(key, attempt)
      if (!this.#closed) this.#options.onError?.(key, error, attempt)
      this.addAfter(key, Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(attempt - 1, 20)))
    }
    this.#working.delete(key)
    if (this.#dirty.delete(key)) this.#waiting.add(key)
    this.#pump()
  }
}
