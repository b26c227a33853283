import { type ChildProcess, execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Log } from '../agent/index.ts'
import { type BirdSession, parseSessions } from '../bird/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import { askBird } from './control.ts'

const run = promisify(execFile)
const patienceMs = 10_000
const pollMs = 20

/** BIRD is not on this machine. */
export class BirdMissing extends Error {}
/** BIRD does not take the configuration; what it had goes on. */
export class BirdRefused extends Error {}

/** BIRD in a node's namespace: started, configured anew without ending sessions that stay, taken over from a former agent, ended. */
export class BirdProcess {
  readonly #namespace: Namespace
  readonly #directory: string
  readonly #log: Log
  readonly #onEnd: () => void
  #child: ChildProcess | undefined
  #text: string | undefined
  #stopped = false

  /** `onEnd` is called when BIRD ended though nobody told it to; the next `configure` starts it again. */
  constructor(namespace: Namespace, directory: string, log: Log, onEnd: () => void) {
    this.#namespace = namespace
    this.#directory = directory
    this.#log = log
    this.#onEnd = onEnd
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }

  /** BIRD's process, while it is a child of this one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when BIRD serves this configuration; it is started when it does not run. Belief follows success. */
  async configure(text: string): Promise<void> {
    if (text === this.#text) return
    await this.#check(text)
    renameSync(this.#path('bird.conf.next'), this.#path('bird.conf'))
    this.#text = undefined
    // One that a killed agent left still has its sessions: it is told the new configuration like one's own.
    if (this.#child !== undefined || (await this.#answers())) {
      const { code, lines } = await askBird(this.#socket, 'configure')
      if (code >= 8000) throw new BirdRefused(lines.map((line) => line.text).join(' '))
    } else await this.#start()
    this.#text = text
  }

  async sessions(): Promise<BirdSession[]> {
    return parseSessions(await askBird(this.#socket, 'show protocols all'))
  }

  /** Resolves when BIRD has ended. `keepRoutes`: peers that restart gracefully (RFC 4724) keep what they were told for a while. */
  async stop(keepRoutes: boolean): Promise<void> {
    this.#stopped = true
    this.#text = undefined
    if (!(await this.#answers())) return
    await askBird(this.#socket, keepRoutes ? 'graceful restart' : 'down').catch(() => undefined)
    await this.#until(async () => !(await this.#answers()))
    rmSync(this.#socket, { force: true })
    this.#child = undefined
    this.#stopped = false
  }

  get #socket(): string {
    return this.#path('bird.ctl')
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }

  /** Leaves the checked file as `bird.conf.next`. Throws `BirdMissing` or `BirdRefused`. */
  async #check(text: string): Promise<void> {
    const file = this.#path('bird.conf.next')
    writeFileSync(file, text, { mode: 0o600 })
    try {
      await run('bird', ['-p', '-c', file], { env: withSystemPath(), timeout: patienceMs })
    } catch (error) {
      const { code, stderr = '', message } = error as { code?: unknown; stderr?: string; message: string }
      if (typeof code === 'number') throw new BirdRefused(stderr.trim())
      throw new BirdMissing(message)
    }
  }

  async #start(): Promise<void> {
    rmSync(this.#socket, { force: true })
    const log = openSync(this.#path('bird.log'), 'w', 0o600)
    // Peers that kept the routes of a former run go on with them (RFC 4724).
    const words = ['-f', '-R', '-c', this.#path('bird.conf'), '-s', this.#socket]
    // A group of its own: what ends the agent must not withdraw its routes.
    const child = spawnIn(this.#namespace, 'bird', words, {
      detached: true,
      stdio: ['ignore', 'ignore', log],
      env: withSystemPath(),
    })
    closeSync(log)
    this.#child = child
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`))
    child.once('error', (error) => this.#ended(child, error.message))
    await this.#until(() => this.#answers())
  }

  #ended(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#text = undefined
    if (this.#stopped) return
    const said = readFileSync(this.#path('bird.log'), 'utf8').trim().split('\n').at(-1)
    this.#log.error({ reason, said }, 'BIRD ended and is started again')
    this.#onEnd()
  }

  #answers(): Promise<boolean> {
    return askBird(this.#socket, 'show status').then(
      ({ code }) => code < 8000,
      () => false,
    )
  }

  async #until(condition: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + patienceMs
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`BIRD did not get ready within ${patienceMs} ms`)
      await pause(pollMs)
    }
  }
}

/** Debian has it in /usr/sbin, which is not on everyone's path. */
function withSystemPath(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` }
}
