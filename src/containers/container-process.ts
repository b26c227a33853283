import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { type Namespace, spawnIn } from '../host/index.ts'
import { containerScript, type Mount } from './container-script.ts'
import { LogBuffer } from './log-buffer.ts'
import type { ContainerExit, RunningContainer } from './running-container.ts'

/** What a container process is started with. */
export interface ContainerProcessOptions {
  readonly namespace: Namespace
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly hostname: string
  readonly workingDirectory: string
  /** An empty directory that nobody else uses. */
  readonly scratch: string
  /** Holds `resolv.conf`, `hosts` and `hostname`. */
  readonly files: string
  readonly mounts: readonly Mount[]
}

// unshare(1) ends by the signal that ended its child, which it cannot do for SIGKILL; then it says this and exits with 1.
const killedLine = 'unshare: sigprocmask unblock failed: Invalid argument'

/** A real process in a pod's network namespace, with mount, UTS and PID namespaces of its own: nothing of it outlives it. */
export class ContainerProcess implements RunningContainer {
  readonly log = new LogBuffer()
  readonly warmsUp = true
  readonly exited: Promise<ContainerExit>
  /** The process id of its first process in the lab's PID namespace, once its root is set up; rejects when that fails. */
  readonly started: Promise<number>
  readonly environment: Readonly<Record<string, string>>
  readonly #child: ChildProcess
  #pid: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: ContainerProcessOptions) {
    const { namespace, argv, environment, hostname, workingDirectory, scratch, files, mounts } = options
    this.environment = environment
    mkdirSync(scratch, { recursive: true })
    const command = [
      '--mount',
      '--uts',
      '--pid',
      '--fork',
      '--kill-child',
      'sh',
      '-c',
      containerScript(mounts),
      'container',
    ]
    this.#child = spawnIn(namespace, 'unshare', [...command, scratch, files, hostname, workingDirectory, ...argv], {
      env: { ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      cwd: '/',
    })
    for (const name of ['stdout', 'stderr'] as const) {
      this.#child[name]?.setEncoding('utf8').on('data', (chunk: string) => this.log.write(name, chunk))
    }
    this.started = this.#awaitReady(this.#child.stdio[3] as Readable)
    this.started.catch(() => undefined)
    this.exited = this.#awaitExit()
  }

  stop(graceMs: number): void {
    if (graceMs > 0 && this.#pid !== undefined) {
      this.signal('SIGTERM')
      this.#timer ??= setTimeout(() => this.#kill(), graceMs)
    } else {
      this.#kill()
    }
  }

  /** Sends a signal to the container's first process, which gets only those that it handles (pid_namespaces(7)), and SIGKILL. */
  signal(signal: NodeJS.Signals): void {
    try {
      if (this.#pid !== undefined) process.kill(this.#pid, signal)
    } catch {
      // It has just ended.
    }
  }

  /** `unshare` takes its child along (PR_SET_PDEATHSIG), even before the child has told its process id. */
  #kill(): void {
    if (this.#pid === undefined) this.#child.kill('SIGKILL')
    else this.signal('SIGKILL')
  }

  #awaitReady(channel: Readable): Promise<number> {
    let text = ''
    return new Promise((resolve, reject) => {
      channel.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        const [pid, ready] = text.split('\n')
        if (text.includes('\n')) this.#pid ??= Number(pid)
        if (ready === 'ready') resolve(Number(pid))
      })
      channel.on('error', reject)
      channel.on('close', () => reject(new Error(`container did not start: ${this.log.read({ tailLines: 3 })}`)))
    })
  }

  #awaitExit(): Promise<ContainerExit> {
    return new Promise((resolve) => {
      const finish = (exit: ContainerExit): void => {
        clearTimeout(this.#timer)
        this.log.end()
        resolve(this.log.takeLast(killedLine) ? { exitCode: 137, signal: 9 } : exit)
      }
      this.#child.once('error', (error) => finish({ exitCode: 128, message: error.message }))
      this.#child.once('close', (code, signal) => {
        if (signal === null) finish({ exitCode: code ?? 0 })
        else finish({ exitCode: 128 + constants.signals[signal], signal: constants.signals[signal] })
      })
    })
  }
}
