import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The script of a prober, to be run with `address port udp|tcp` where the client is. */
export const prober = fileURLToPath(new URL('./prober.ts', import.meta.url))

/** A prober that runs. */
export class Probing {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** The child's standard input and output are pipes. */
  constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    child.stdin?.on('error', () => undefined)
  }

  /** Waits until it probes. */
  async open(): Promise<this> {
    await this.#next('open')
    return this
  }

  /** Until 100 probes in a row were answered. */
  calm(what: string): Promise<void> {
    return this.#ask('calm', what).then(() => undefined)
  }

  mark(): Promise<void> {
    return this.#ask('mark', '').then(() => undefined)
  }

  /** The longest time without an answer since the mark, in milliseconds, once all is calm again. */
  async gap(what: string): Promise<number> {
    return Number(await this.#ask('gap', what))
  }

  close(): void {
    this.#child.stdin?.end()
  }

  async #ask(word: string, what: string): Promise<string> {
    this.#child.stdin?.write(`${word}\n`)
    return this.#next(what)
  }

  async #next(what: string): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true || value === 'nobody answers') throw new Error(`nobody answers ${what}`)
    return value
  }
}

/** The value that so many percent of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}
