import type { LogBuffer } from './log-buffer.ts'

/** How a container ended. */
export interface ContainerExit {
  readonly exitCode: number
  readonly signal?: number
  readonly message?: string
}

/** A container that runs, whatever it is made of. */
export interface RunningContainer {
  readonly log: LogBuffer
  /** A real process is probed after the delays of its probes; a stand-in has nothing to warm up. */
  readonly warmsUp: boolean
  /** What it left in the file for its last words, at most 4,096 bytes; empty when nothing. */
  readonly lastWords?: () => string
  /** Resolves once, when it has ended and nothing of it is left. */
  readonly exited: Promise<ContainerExit>
  /** Asks it to end and, `graceMs` later, ends it. */
  stop(graceMs: number): void
}
