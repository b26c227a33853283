import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** So much may wait for a slow disk, in bytes; beyond it events are lost and counted. */
const waitingLimitBytes = 16 * 1024 * 1024

/** How large the log may grow. */
export interface AuditFileLimits {
  /** A file of this size is put aside, in bytes. */
  readonly maxBytes: number
  /** So many are kept beside the current one, `FILE.1` the youngest. */
  readonly maxBackups: number
}

/** A log of JSON lines that takes turns with a fixed number of older ones. Writes in order and never throws; what is lost is told. */
export class AuditFile {
  readonly #path: string
  readonly #limits: AuditFileLimits
  #size: number
  #waiting: string[] = []
  #waitingBytes = 0
  readonly #onLost: () => void
  #writing: Promise<void> | undefined
  #complained = false

  /** `onLost` is called for each event that cannot be written. */
  constructor(path: string, limits: AuditFileLimits, onLost: () => void) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#path = path
    this.#limits = limits
    this.#onLost = onLost
    this.#size = existsSync(path) ? statSync(path).size : 0
  }

  write(event: object): void {
    const line = `${JSON.stringify(event)}\n`
    if (this.#waitingBytes + line.length > waitingLimitBytes) {
      this.#onLost()
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    this.#writing ??= this.#drain()
  }

  /** Resolves when all that was written is in the file. */
  async flush(): Promise<void> {
    await this.#writing
  }

  async #drain(): Promise<void> {
    // Events of one turn share one write.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0
      try {
        const text = Buffer.from(lines.join(''))
        if (this.#size > 0 && this.#size + text.length > this.#limits.maxBytes) this.#rotate()
        await appendFile(this.#path, text, { mode: 0o600 })
        this.#size += text.length
      } catch (error) {
        if (!this.#complained) console.error(error)
        this.#complained = true
        for (const _ of lines) this.#onLost()
      }
    }
    this.#writing = undefined
  }

  #rotate(): void {
    const { maxBackups } = this.#limits
    const old = (index: number) => (index === 0 ? this.#path : `${this.#path}.${index}`)
    rmSync(old(maxBackups), { force: true })
    for (let index = maxBackups - 1; index >= 0; index--)
      if (existsSync(old(index))) renameSync(old(index), old(index + 1))
    this.#size = 0
  }
}
