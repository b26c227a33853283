const pauseMs = 1000

/** Asks again and again, one second after each answer; calls back once when one takes longer than `patienceMs`, and asks no more. */
export class Heartbeat {
  readonly #ask: () => Promise<unknown>
  readonly #patienceMs: number
  readonly #onSilence: () => void
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(ask: () => Promise<unknown>, patienceMs: number, onSilence: () => void) {
    this.#ask = ask
    this.#patienceMs = patienceMs
    this.#onSilence = onSilence
    this.#next()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #next(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => this.#beat(), pauseMs).unref()
  }

  #beat(): void {
    const silence = setTimeout(() => {
      if (this.#stopped) return
      this.stop()
      this.#onSilence()
    }, this.#patienceMs).unref()
    // What refuses is not silent; when it has ended that is noticed elsewhere.
    const answered = (): void => {
      clearTimeout(silence)
      this.#next()
    }
    this.#ask().then(answered, answered)
  }
}
