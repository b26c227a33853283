import type { ChildProcess } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../agent/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import { Heartbeat } from './heartbeat.ts'
import { askHaproxy } from './socket.ts'
import { isBusy, workersOf } from './workers.ts'

const patienceMs = 10_000
const pollMs = 5

export interface ProcessOptions {
  readonly namespace: Namespace
  readonly directory: string
  readonly log: Log
  readonly hungMs?: number
}

/** HAProxy in a node's namespace, as master and worker: started, reloaded, started again when it dies, ended. */
export class HaproxyProcess {
  readonly #namespace: Namespace
  readonly #directory: string
  readonly #log: Log
  readonly #onEnd: () => void
  readonly #onRestart: () => void
  readonly #hungMs: number
  #child: ChildProcess | undefined
  #restarts = 0
  #lastReason: string | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #heartbeat: Heartbeat | undefined
  #workerPid: number | undefined

  /**
   * `directory` holds `haproxy.cfg`. HAProxy that answers nothing for `hungMs` hangs. `onEnd` is called when it died, before it is started
   * again from the files, `onRestart` when it runs again.
   */
  constructor(
    { namespace, directory, log, hungMs = 10_000 }: ProcessOptions,
    onEnd: () => void,
    onRestart: () => void,
  ) {
    this.#namespace = namespace
    this.#directory = directory
    this.#log = log
    this.#hungMs = hungMs
    this.#onEnd = onEnd
    this.#onRestart = onRestart
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get runtimeSocket(): string {
    return `${this.#directory}/runtime.sock`
  }

  /** Resolves when it serves. Ends what a former agent that was killed left behind. */
  async start(): Promise<void> {
    this.#endRemains()
    this.#spawn()
    await this.#untilServing()
    this.#watch()
  }

  /** Hands the sockets to a new worker, which reads the files; the caller has had them checked. */
  async reload(): Promise<void> {
    const before = await this.#worker()
    await askHaproxy(this.#masterSocket, 'reload')
    await this.#until(async () => {
      const now = await this.#worker()
      return now !== undefined && now !== before && (await this.#serves(now))
    })
    this.#watch()
  }

  /** Ends it: nothing is accepted any more, and what is under way has `graceMs` to end by itself. */
  async stop(graceMs = 0): Promise<void> {
    this.#stopped = true
    this.#heartbeat?.stop()
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    let isOver = false
    child.once('exit', () => {
      isOver = true
      resolve()
    })
    const deadline = performance.now() + graceMs
    if (graceMs > 0) child.kill('SIGUSR1')
    while (!isOver && performance.now() < deadline && (await isBusy(this.#masterSocket))) await pause(20)
    child.kill('SIGTERM')
    await promise
    rmSync(this.#pidFile, { force: true })
  }

  get #config(): string {
    return `${this.#directory}/haproxy.cfg`
  }

  get #masterSocket(): string {
    return `${this.#directory}/master.sock`
  }

  get #pidFile(): string {
    return `${this.#directory}/haproxy.pid`
  }

  #spawn(): void {
    const words = ['-W', '-db', '-S', this.#masterSocket, '-f', this.#config]
    const child = spawnIn(this.#namespace, 'haproxy', words, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let alert = ''
    child.stderr?.on('data', (data: Buffer) => {
      alert = /\[ALERT\].*/.exec(data.toString())?.[0] ?? alert
    })
    if (child.pid !== undefined) writeFileSync(this.#pidFile, String(child.pid))
    const ended = (reason: string): void => this.#ended(child, reason)
    child.once('error', (error) => ended(error.message))
    child.once('exit', (code, signal) => ended(`${signal ?? `exit code ${code}`} ${alert}`.trim()))
  }

  #ended(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#stopped) return
    this.#onEnd()
    // At once the first time; one that cannot start must not spin.
    const pauseMs = this.#restarts === 0 ? 0 : Math.min(50 * 2 ** this.#restarts, 5000)
    this.#restarts++
    if (reason !== this.#lastReason) this.#log.error({ reason, pauseMs }, 'haproxy ended and is started again')
    this.#lastReason = reason
    this.#timer = setTimeout(() => {
      this.#spawn()
      this.#untilServing().then(
        () => {
          this.#watch()
          this.#restarts = 0
          this.#lastReason = undefined
          this.#onRestart()
        },
        (error: unknown) => this.#log.error({ error: String(error) }, 'haproxy does not serve'),
      )
    }, pauseMs)
  }

  /** One that hangs is ended, and started again like any that ends. Its sockets are asked, which it answers in microseconds. */
  #watch(): void {
    this.#heartbeat?.stop()
    const child = this.#child
    const sockets = [this.runtimeSocket, this.#masterSocket]
    const ask = () => Promise.all(sockets.map((path) => askHaproxy(path, 'show version', 2 * this.#hungMs)))
    this.#heartbeat = new Heartbeat(ask, this.#hungMs, () => {
      this.#log.error({ hungMs: this.#hungMs }, 'haproxy does not answer and is ended')
      // Whether it is the worker that hangs or the master, neither goes on without the other.
      if (this.#workerPid !== undefined) process.kill(this.#workerPid, 'SIGKILL')
      child?.kill('SIGKILL')
    })
  }

  #endRemains(): void {
    try {
      const pid = Number(readFileSync(this.#pidFile, 'utf8'))
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      // The number may be another program's by now.
      if (command.split('\0').includes(this.#config)) process.kill(pid, 'SIGTERM')
    } catch {
      // No file or no such process: nothing was left.
    }
  }

  async #worker(): Promise<number | undefined> {
    const found = (await workersOf(this.#masterSocket)).find(({ old }) => !old)?.pid
    this.#workerPid = found ?? this.#workerPid
    return found
  }

  async #serves(worker: number): Promise<boolean> {
    try {
      return (await askHaproxy(this.runtimeSocket, 'show info')).includes(`Pid: ${worker}\n`)
    } catch {
      return false
    }
  }

  #untilServing(): Promise<void> {
    return this.#until(async () => {
      const worker = await this.#worker()
      return worker !== undefined && (await this.#serves(worker))
    })
  }

  async #until(reached: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (!(await reached())) {
      if (this.#stopped) return
      if (performance.now() > deadline) throw new Error('haproxy does not serve its runtime socket')
      await pause(pollMs)
    }
  }
}
