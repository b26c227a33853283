import type { IncomingMessage, ServerResponse } from 'node:http'

/** More streams at once are refused. */
const maxStreams = 1000
/** Comments that keep proxies from closing a quiet stream. */
const keepAliveMs = 15_000

/** Streams of server-sent events (HTML, section 9.2), each the answer to one question, sent again when it has changed. */
export class Streams {
  readonly #open = new Map<ServerResponse, { answer: () => string; told: string }>()
  #pending: NodeJS.Immediate | undefined
  #keepAlive: NodeJS.Timeout | undefined

  /** False when there are too many already. */
  add(request: IncomingMessage, response: ServerResponse, answer: () => string): boolean {
    if (this.#open.size >= maxStreams) return false
    const told = answer()
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.write(render(told))
    this.#open.set(response, { answer, told })
    request.on('close', () => this.#remove(response))
    this.#keepAlive ??= setInterval(() => this.#send(': \n\n'), keepAliveMs)
    return true
  }

  /** Something may have changed; what has is told once for all changes of this turn. */
  changed(): void {
    if (this.#open.size === 0 || this.#pending !== undefined) return
    this.#pending = setImmediate(() => {
      this.#pending = undefined
      for (const [response, stream] of this.#open) {
        const now = stream.answer()
        if (now === stream.told) continue
        stream.told = now
        this.#write(response, render(now))
      }
    })
  }

  close(): void {
    for (const response of this.#open.keys()) this.#remove(response)
  }

  #send(text: string): void {
    for (const response of this.#open.keys()) this.#write(response, text)
  }

  /** A reader that is a megabyte behind is cut off; it begins anew with the whole answer. */
  #write(response: ServerResponse, text: string): void {
    response.write(text)
    if (response.writableLength > 1_000_000) this.#remove(response)
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
function render(answer: string): string {
  return `data: ${answer}\n\n`
}
