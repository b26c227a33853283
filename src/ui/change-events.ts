import type { IncomingMessage, ServerResponse } from 'node:http'
import { Events } from './events.ts'
import type { HolderJournal } from './holder-journal.ts'
import { costMs } from './routes.ts'
import type { Source } from './source.ts'

/** Pages hear of changes at most so often, and so that what they ask then takes a fifth of the time at most. */
const pauseMs = 1000
const share = 5

/** Tells pages that something changed, once for all changes of a while, and notes who holds addresses. */
export class ChangeEvents {
  readonly #events = new Events()
  readonly #source: Source
  readonly #journal: HolderJournal
  readonly #stop: () => void
  #revision = 0
  #timer: NodeJS.Timeout | undefined

  constructor(source: Source, journal: HolderJournal) {
    this.#source = source
    this.#journal = journal
    this.#stop = source.onChange(() => this.#soon())
    this.#soon()
  }

  /** False when there are too many who listen. */
  add(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#events.add(request, response, [['changed', this.#revision]])
  }

  close(): void {
    this.#stop()
    clearTimeout(this.#timer)
    this.#events.close()
  }

  #soon(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#revision += 1
        void this.#note()
        this.#events.tell('changed', this.#revision)
      },
      Math.max(pauseMs, share * costMs()),
    )
  }

  /** What cannot be read now is told to whoever asks. */
  async #note(): Promise<void> {
    try {
      this.#journal.note(await this.#source.state(), new Date().toISOString())
    } catch {}
  }
}
