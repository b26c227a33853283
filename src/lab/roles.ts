import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Namespace } from '../host/index.ts'

/** One of the program's roles that the lab keeps running as a process of its own. */
export interface RoleOptions {
  readonly name: string
  readonly command: readonly string[]
  readonly namespace: Namespace
  readonly logPath: string
  /** Descriptors handed down as 3, 4, … */
  readonly descriptors?: readonly number[]
  readonly environment?: Readonly<Record<string, string>>
  /** Called when the process ended without being told to; it is started again after `restartMs`. */
  readonly onExit: (reason: string) => void
}

/** A role that is started again when it ends, after a pause that doubles up to ten seconds. */
export class Role {
  readonly name: string
  readonly logPath: string
  restarts = 0
  #options: RoleOptions
  #child: ChildProcess | undefined
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: RoleOptions) {
    this.name = options.name
    this.logPath = options.logPath
    this.#options = options
    this.#start()
  }

  /** Process id in the lab's PID namespace, or undefined between two runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Ends the process for good. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGTERM')
  }

  #start(): void {
    const { command, namespace, descriptors = [], environment } = this.#options
    const log = openSync(this.logPath, 'a')
    this.#startedAt = Date.now()
    const child = namespace.run(() =>
      spawn(command[0]!, command.slice(1), {
        stdio: ['ignore', log, log, ...descriptors],
        env: { ...process.env, ...environment },
      }),
    )
    closeSync(log)
    this.#child = child
    child.once('error', (error) => this.#ended(child, error.message))
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`))
  }

  #ended(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#stopped) return
    this.#options.onExit(reason)
    // A process that ran for a while and was killed comes back at once; one that fails to start must not spin.
    const pauseMs = Date.now() - this.#startedAt > 5000 ? 0 : Math.min(100 * 2 ** this.restarts, 10_000)
    this.restarts++
    this.#timer = setTimeout(() => this.#start(), pauseMs)
  }
}
