import type { IncomingMessage, ServerResponse } from 'node:http'

/** More streams at once are refused. */
const maxStreams = 32
/** Comments that keep a quiet stream open. */
const keepAliveMs = 15_000
/** A reader that is so many bytes behind is cut off; it comes again. */
const mostBehind = 1_000_000

/** Streams of server-sent events (HTML, section 9.2) about one thing. */
export class Events {
  readonly #open = new Set<ServerResponse>()
  #keepAlive: NodeJS.Timeout | undefined

  get size(): number {
    return this.#open.size
  }

  /** False when there are too many already. `first` is told at once. */
  add(request: IncomingMessage, response: ServerResponse, first: readonly (readonly [string, unknown])[]): boolean {
    if (this.#open.size >= maxStreams) return false
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(first.map(([event, data]) => render(event, data)).join('') || ': \n\n')
    this.#open.add(response)
    request.on('close', () => this.#remove(response))
    this.#keepAlive ??= setInterval(() => this.#write(': \n\n'), keepAliveMs)
    return true
  }

  tell(event: string, data: unknown): void {
    this.#write(render(event, data))
  }

  close(): void {
    for (const response of this.#open) this.#remove(response)
  }

  #write(text: string): void {
    for (const response of this.#open) {
      response.write(text)
      if (response.writableLength > mostBehind) this.#remove(response)
    }
  }

  #remove(response: ServerResponse): void {
    if (!this.#open.delete(response)) return
    response.destroy()
    if (this.#open.size > 0) return
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
  }
}

/** JSON has no line breaks of its own, so one line holds it. */
function render(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
