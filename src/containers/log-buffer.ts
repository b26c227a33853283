/** Which lines of a log are wanted (`PodLogOptions`). */
export interface LogSelection {
  readonly tailLines?: number
  /** Lines from this time on, in milliseconds since the epoch. */
  readonly sinceMs?: number
  readonly timestamps?: boolean
  readonly limitBytes?: number
}

interface LogLine {
  readonly atMs: number
  readonly text: string
}

/** The output of one container instance: whole lines with their times, the oldest dropped beyond `maximumBytes`. */
export class LogBuffer {
  readonly #maximumBytes: number
  #lines: LogLine[] = []
  #bytes = 0
  #partial = new Map<string, string>()
  #followers = new Set<(line: LogLine | undefined) => void>()
  #ended = false

  constructor(maximumBytes = 512 * 1024) {
    this.#maximumBytes = maximumBytes
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Adds output of a stream (`stdout`, `stderr`); an unfinished line waits for its rest. */
  write(stream: string, chunk: string): void {
    const parts = ((this.#partial.get(stream) ?? '') + chunk).split('\n')
    let rest = parts.pop() ?? ''
    for (const part of parts) this.line(part)
    // A line without an end must not grow without bound.
    if (rest.length > 64 * 1024) {
      this.line(rest)
      rest = ''
    }
    this.#partial.set(stream, rest)
  }

  /** Adds one line. */
  line(text: string): void {
    const line = { atMs: Date.now(), text }
    this.#lines.push(line)
    this.#bytes += text.length + 24
    if (this.#bytes > this.#maximumBytes) this.#drop()
    for (const follower of this.#followers) follower(line)
  }

  /** Removes the last line if it is `text`; whether it was. */
  takeLast(text: string): boolean {
    if (this.#lines.at(-1)?.text !== text) return false
    this.#lines.pop()
    return true
  }

  /** No more output will come: followers end. */
  end(): void {
    if (this.#ended) return
    for (const rest of this.#partial.values()) if (rest !== '') this.line(rest)
    this.#partial.clear()
    this.#ended = true
    for (const follower of this.#followers) follower(undefined)
    this.#followers.clear()
  }

  /** The selected lines as text, each ending with a newline. */
  read(selection: LogSelection = {}): string {
    const { tailLines, sinceMs = 0, limitBytes } = selection
    let lines = sinceMs === 0 ? this.#lines : this.#lines.filter(({ atMs }) => atMs >= sinceMs)
    if (tailLines !== undefined) lines = tailLines === 0 ? [] : lines.slice(-tailLines)
    const text = lines.map((line) => renderLine(line, selection)).join('')
    return limitBytes === undefined ? text : text.slice(0, limitBytes)
  }

  /** Calls back with each line to come, and with undefined when there will be no more; returns the way to stop. */
  follow(selection: LogSelection, callback: (text: string | undefined) => void): () => void {
    if (this.#ended) {
      callback(undefined)
      return () => undefined
    }
    const follower = (line: LogLine | undefined) => callback(line && renderLine(line, selection))
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** Halves the log at once, so that dropping costs little per line. */
  #drop(): void {
    let first = 0
    while (this.#bytes > this.#maximumBytes / 2 && first < this.#lines.length - 1) {
      this.#bytes -= this.#lines[first++]!.text.length + 24
    }
    this.#lines = this.#lines.slice(first)
  }
}

function renderLine({ atMs, text }: LogLine, { timestamps }: LogSelection): string {
  return timestamps ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ${text}\n` : `${text}\n`
}
