import type { Worker } from 'node:worker_threads'
import type { Address } from '../addr/index.ts'
import { openHost } from '../host/index.ts'
import { startThread } from '../memory/index.ts'
import type { StandbyConfig, StandbyOptions, StandbyState } from './contract.ts'
import type { Flow } from './flow.ts'
import { Standby } from './standby.ts'
import type { Call, FromThread, PlainOptions, ToThread } from './standby-thread.ts'

/** A node's part in the survival of connections, wherever it runs. */
export interface StandbyHandle {
  configure(config: StandbyConfig): Promise<unknown>
  setOwners(owners: ReadonlyMap<Address, string>): Promise<unknown>
  prepare(address: Address, from: string): Promise<unknown>
  hold(address: Address): Promise<unknown>
  take(address: Address): Promise<unknown>
  datagrams(address: Address, node: string): Promise<readonly Flow[]>
  lose(address: Address, to: string | undefined): Promise<unknown>
  state(): Promise<StandbyState>
  close(): Promise<void>
}

/** Starts it: in a thread of its own when it works in the process's own namespace, in this one otherwise, since a thread that Node makes is in no other. */
export function startStandby(options: StandbyOptions): StandbyHandle {
  return options.namespace.inode === openHost().own.inode ? new StandbyThread(options) : new StandbyHere(options)
}

class StandbyHere implements StandbyHandle {
  readonly #standby: Standby

  constructor(options: StandbyOptions) {
    this.#standby = new Standby(options)
  }

  configure(config: StandbyConfig): Promise<void> {
    return this.#standby.configure(config)
  }
  setOwners(owners: ReadonlyMap<Address, string>): Promise<void> {
    return this.#standby.setOwners(owners)
  }
  prepare(address: Address, from: string): Promise<void> {
    return this.#standby.prepare(address, from)
  }
  hold(address: Address): Promise<void> {
    this.#standby.hold(address)
    return Promise.resolve()
  }
  take(address: Address): Promise<void> {
    return this.#standby.take(address)
  }
  datagrams(address: Address, node: string): Promise<readonly Flow[]> {
    return Promise.resolve(this.#standby.datagrams(address, node))
  }
  lose(address: Address, to: string | undefined): Promise<void> {
    return this.#standby.lose(address, to)
  }
  state(): Promise<StandbyState> {
    return Promise.resolve(this.#standby.state())
  }
  close(): Promise<void> {
    this.#standby.close()
    return Promise.resolve()
  }
}

class StandbyThread implements StandbyHandle {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (answer: unknown) => void>()
  readonly #ended: Promise<unknown>
  #asked = 0

  constructor({ host: _host, namespace: _namespace, onTrouble, ...plain }: StandbyOptions) {
    const workerData: PlainOptions = plain
    this.#worker = startThread(import.meta, 'standby-thread', workerData)
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'trouble') return onTrouble(message.message)
      this.#waiting.get(message.id)?.(message.answer)
      this.#waiting.delete(message.id)
    })
    this.#worker.on('error', (error) => onTrouble(`connections do not survive this node: ${String(error)}`))
    // Nobody waits for what has ended.
    this.#worker.once('exit', () => {
      for (const resolve of this.#waiting.values()) resolve(undefined)
    })
  }

  configure(config: StandbyConfig): Promise<unknown> {
    return this.#ask({ kind: 'configure', config })
  }
  setOwners(owners: ReadonlyMap<Address, string>): Promise<unknown> {
    return this.#ask({ kind: 'owners', owners })
  }
  prepare(address: Address, from: string): Promise<unknown> {
    return this.#ask({ kind: 'prepare', address, from })
  }
  hold(address: Address): Promise<unknown> {
    return this.#ask({ kind: 'hold', address })
  }
  take(address: Address): Promise<unknown> {
    return this.#ask({ kind: 'take', address })
  }
  async datagrams(address: Address, node: string): Promise<readonly Flow[]> {
    return ((await this.#ask({ kind: 'datagrams', address, node })) ?? []) as readonly Flow[]
  }
  lose(address: Address, to: string | undefined): Promise<unknown> {
    return this.#ask({ kind: 'lose', address, to })
  }
  async state(): Promise<StandbyState> {
    return (await this.#ask({ kind: 'state' })) as StandbyState
  }

  async close(): Promise<void> {
    this.#post({ id: 0, call: { kind: 'close' } })
    await this.#ended
  }

  #ask(call: Call): Promise<unknown> {
    const id = ++this.#asked
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, resolve)
    this.#post({ id, call })
    return promise
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}
