/** A server that no watch has heard of for so long is asked whether it is there, in milliseconds. */
const defaultSilentMs = 5000
/** An answer that takes more than this part of that time is none. */
const answerPart = 0.4
/** While there is none it is asked again after this part of that time, and up to twice as long. */
const againPart = 0.2
/** A server that is only slow must not be given more to do: so many answers in a row have to be missing. */
const lostAfter = 2

/**
 * Whether the server can be reached. Packets that get lost without a word leave watches open that will hear nothing: the client's TCP has nothing to send, and the
 * server's repeats what was lost ever more rarely, so that after a cut of a minute the next try is up to a minute away. So while watches are silent the server is
 * asked for something small, and when it answers again after it did not, everything that was under way begins anew at once.
 */
export class Reachability {
  readonly #ask: (timeoutMs: number) => Promise<void>
  readonly #onReturn: (agedMs: number) => void
  readonly #silentMs: number
  #heardAt = performance.now()
  #missing = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #epoch = new AbortController()

  /** `ask` sends one small request, and resolves when there is any answer; `onReturn` is told how old what is of the time before is at least, in milliseconds. */
  constructor(
    ask: (timeoutMs: number) => Promise<void>,
    onReturn: (agedMs: number) => void,
    silentMs: number = defaultSilentMs,
  ) {
    this.#ask = ask
    this.#onReturn = onReturn
    this.#silentMs = silentMs
  }

  /** Aborted when the server can be reached again: what waits or hangs is to begin anew. */
  get signal(): AbortSignal {
    return this.#epoch.signal
  }

  /** Begins to look; from then on until `close`. */
  start(): void {
    if (this.#timer === undefined && !this.#closed) this.#schedule(this.#silentMs)
  }

  /** The server has said something. */
  heard(): void {
    this.#heardAt = performance.now()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #schedule(inMs: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#look(), inMs).unref()
  }

  async #look(): Promise<void> {
    const begun = performance.now()
    const silentMs = begun - this.#heardAt
    if (silentMs < this.#silentMs) {
      this.#missing = 0
      return this.#schedule(this.#silentMs - silentMs)
    }
    try {
      await this.#ask(answerPart * this.#silentMs)
    } catch {
      if (this.#heardAt < begun) this.#missing++
      return this.#schedule(againPart * this.#silentMs * (1 + Math.random()))
    }
    this.heard()
    if (this.#missing >= lostAfter) this.#begin()
    this.#missing = 0
    this.#schedule(this.#silentMs)
  }

  #begin(): void {
    const before = this.#epoch
    this.#epoch = new AbortController()
    this.#onReturn(answerPart * this.#silentMs)
    before.abort()
  }
}
