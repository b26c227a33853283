import { setTimeout as pause } from 'node:timers/promises'

/** A server that no watch has heard of for so long is asked whether it is there, in milliseconds. */
const defaultSilentMs = 5000
/** An answer that takes more than this part of that time is none. */
const answerPart = 0.4
/** One that takes more than this part is held against a handshake, which may take as long again: Linux repeats a lost SYN after a second. */
const latePart = 0.1
/** While there is none it is asked again after this part of that time, and up to twice as long. */
const againPart = 0.2
/** While packets get lost it is tried again after this part, and up to twice as long. */
const lostAgainPart = 0.05
/** A server that is only slow must not be given more to do: so many answers in a row have to be missing. */
const slowAfter = 2

/** How a server is looked for. */
export interface Probes {
  /** Sends one small request, and resolves when there is any answer. */
  ask(signal: AbortSignal): Promise<void>
  /** Whether the server's machine answers a handshake within the time: it does so however busy its programs are, unless packets get lost. */
  reach(timeoutMs: number): Promise<boolean>
}

/**
 * Whether the server can be reached. Packets that get lost without a word leave watches open that will hear nothing: the client's TCP has nothing to send, and the
 * server's repeats what was lost ever more rarely, so that after a cut of a minute the next try is up to a minute away. So while watches are silent the server is
 * asked for something small, and when it answers again after packets were lost, or after it was silent twice, everything that was under way begins anew at once.
 */
export class Reachability {
  readonly #probes: Probes
  readonly #onReturn: (agedMs: number) => void
  readonly #silentMs: number
  #heardAt = performance.now()
  #missing = 0
  #isLost = false
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #epoch = new AbortController()

  /** `onReturn` is told how old what is of the time before is at least, in milliseconds. */
  constructor(probes: Probes, onReturn: (agedMs: number) => void, silentMs: number = defaultSilentMs) {
    this.#probes = probes
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
      // One watch has come through again; the others may still wait.
      this.#settle(this.#isLost)
      return this.#schedule(this.#silentMs - silentMs)
    }
    if (!(await this.#answers())) {
      if (this.#heardAt < begun) this.#missing++
      return this.#schedule((this.#isLost ? lostAgainPart : againPart) * this.#silentMs * (1 + Math.random()))
    }
    this.heard()
    this.#settle(this.#isLost || this.#missing >= slowAfter)
    this.#schedule(this.#silentMs)
  }

  async #answers(): Promise<boolean> {
    const lateMs = latePart * this.#silentMs
    if (this.#isLost && !(await this.#probes.reach(lateMs))) return false
    const enough = new AbortController()
    const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(answerPart * this.#silentMs)])
    const answer = this.#probes.ask(signal).then(
      () => true,
      () => false,
    )
    const early = await Promise.race([answer, pause(lateMs, undefined, { ref: false })])
    if (early !== undefined) return early
    if (await this.#probes.reach(lateMs)) return answer
    this.#isLost = true
    enough.abort()
    return false
  }

  /** The server is there. */
  #settle(anew: boolean): void {
    this.#missing = 0
    this.#isLost = false
    if (anew) this.#begin()
  }

  #begin(): void {
    const before = this.#epoch
    this.#epoch = new AbortController()
    this.#onReturn(answerPart * this.#silentMs)
    before.abort()
  }
}
