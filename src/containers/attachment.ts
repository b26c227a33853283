import type { Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { LogBuffer } from './log-buffer.ts'

export type OutputName = 'stdout' | 'stderr'
export type OutputListener = (name: OutputName, data: Buffer) => void

/** A client's hold on the streams of a running container. */
export interface Attachment {
  /** Undefined when the container has no standard input. */
  readonly input: Writable | undefined
  /** Tells the container's terminal its size, if it has one. */
  resize(columns: number, rows: number): void
  detach(): void
}

const maximumEarly = 64 * 1024

/** The output of a container: kept as a log, and passed on as it comes to the clients that are attached. */
export class Output {
  readonly #log: LogBuffer
  readonly #listeners = new Set<OutputListener>()
  readonly #decoders: Record<OutputName, StringDecoder>
  #early: { name: OutputName; data: Buffer }[] | undefined
  #earlySize = 0

  /** `keepsEarly`: somebody is expected to attach, and gets what was said before he came, such as a shell's first prompt. */
  constructor(log: LogBuffer, keepsEarly: boolean) {
    this.#log = log
    this.#early = keepsEarly ? [] : undefined
    this.#decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  }

  write(name: OutputName, data: Buffer): void {
    this.#log.write(name, this.#decoders[name].write(data))
    for (const listener of this.#listeners) listener(name, data)
    if (this.#early === undefined) return
    this.#early.push({ name, data })
    this.#earlySize += data.length
    while (this.#earlySize > maximumEarly) this.#earlySize -= this.#early.shift()!.data.length
  }

  /** Calls back with each piece of output from now on; returns the way to stop. */
  attach(listener: OutputListener): () => void {
    for (const { name, data } of this.#early ?? []) listener(name, data)
    this.#early = undefined
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
