import type { Worker } from 'node:worker_threads'
import { openHost } from '../host/index.ts'
import { startThread } from '../memory/index.ts'
import { Engine, type EngineCommand, type EngineEvent, type EngineOptions, type EngineState } from './engine.ts'
import type { PlainOptions, ToThread } from './engine-thread.ts'

/** An engine wherever it runs. */
export interface EngineHandle {
  command(command: EngineCommand): void
  /** What the engine holds and knows; with `look` it asks the wire too. */
  ask(look?: boolean): Promise<EngineState>
  close(): Promise<void>
}

/** Starts an engine: in a thread of its own when it works in the process's own namespace, in this one otherwise, since a thread that Node makes is in no other. */
export function startEngine(options: EngineOptions): EngineHandle {
  return options.namespace.inode === openHost().own.inode ? new EngineThread(options) : new EngineHere(options)
}

class EngineHere implements EngineHandle {
  readonly #engine: Engine

  constructor(options: EngineOptions) {
    this.#engine = new Engine(options)
  }

  command(command: EngineCommand): void {
    this.#engine.command(command)
  }

  ask(look = false): Promise<EngineState> {
    return this.#engine.state(look)
  }

  close(): Promise<void> {
    this.#engine.close()
    return Promise.resolve()
  }
}

type FromThread = { readonly event: EngineEvent } | { readonly id: number; readonly state: EngineState }

class EngineThread implements EngineHandle {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (state: EngineState) => void>()
  readonly #ended: Promise<unknown>
  #asked = 0

  constructor({ host: _host, namespace: _namespace, onEvent, ...plain }: EngineOptions) {
    const workerData: PlainOptions = plain
    this.#worker = startThread(import.meta, 'engine-thread', workerData)
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.on('message', (message: FromThread) => {
      if ('event' in message) onEvent(message.event)
      else {
        this.#waiting.get(message.id)?.(message.state)
        this.#waiting.delete(message.id)
      }
    })
    this.#worker.on('error', (error) => onEvent({ kind: 'trouble', message: `the speaker ended: ${String(error)}` }))
  }

  command(command: EngineCommand): void {
    this.#post(command)
  }

  ask(look = false): Promise<EngineState> {
    const id = ++this.#asked
    const { promise, resolve } = Promise.withResolvers<EngineState>()
    this.#waiting.set(id, resolve)
    this.#post({ kind: 'ask', id, look })
    return promise
  }

  async close(): Promise<void> {
    this.#post({ kind: 'close' })
    await this.#ended
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}
