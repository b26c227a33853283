import type { ChildProcess } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { type Namespace, openTerminal, spawnIn, type Terminal } from '../host/index.ts'
import { type Attachment, Output, type OutputListener } from './attachment.ts'
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
  /** Its standard input is open, for clients that attach. */
  readonly stdin?: boolean
  /** It has a terminal for its standard streams. */
  readonly tty?: boolean
  /** A process whose PID namespace it shares, instead of one of its own. */
  readonly processesOf?: number
  /** Where in the container its last words go (`terminationMessagePath`). */
  readonly lastWordsPath?: string
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
  readonly lastWords: () => string
  readonly #child: ChildProcess
  readonly #terminal: Terminal | undefined
  readonly #terminalEnd: Promise<unknown> | undefined
  readonly #input: Writable | undefined
  readonly #output: Output
  #pid: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: ContainerProcessOptions) {
    const { namespace, scratch, stdin = false, tty = false } = options
    this.environment = tty ? { TERM: 'xterm', ...options.environment } : options.environment
    mkdirSync(scratch, { recursive: true })
    this.#output = new Output(this.log, stdin)
    this.#terminal = tty ? openTerminal('/dev/ptmx') : undefined
    const { programFd } = this.#terminal ?? {}
    const { mounts, lastWords } = withLastWords(options)
    this.lastWords = lastWords
    const [command, ...words] = containerCommand({ ...options, mounts })
    this.#child = spawnIn(namespace, command!, words, {
      env: { ...this.environment },
      stdio:
        programFd === undefined
          ? [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe']
          : [programFd, programFd, programFd, 'pipe'],
      cwd: '/',
    })
    this.#terminal?.releaseProgram()
    const { output } = this.#terminal ?? {}
    this.#terminalEnd = output && new Promise((resolve) => output.once('close', resolve))
    this.#terminal?.output.on('data', (chunk: Buffer) => this.#output.write('stdout', chunk))
    for (const name of ['stdout', 'stderr'] as const) {
      this.#child[name]?.on('data', (chunk: Buffer) => this.#output.write(name, chunk))
    }
    this.#child.stdin?.on('error', () => undefined)
    this.#input = stdin ? (this.#terminal?.input ?? this.#child.stdin ?? undefined) : undefined
    this.started = this.#awaitReady(this.#child.stdio[3] as Readable)
    this.started.catch(() => undefined)
    this.exited = this.#awaitExit()
  }

  /** Gives a client the container's output from now on and its input. */
  attach(listener: OutputListener): Attachment {
    const detach = this.#output.attach(listener)
    return {
      input: this.#input,
      resize: (columns, rows) => this.#terminal?.resize(columns, rows),
      detach,
    }
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
      const finish = async (exit: ContainerExit): Promise<void> => {
        clearTimeout(this.#timer)
        await this.#terminalEnd
        this.log.end()
        const killed = this.log.takeLast(killedLine) || this.log.takeLast(`${killedLine}\r`)
        resolve(killed ? { exitCode: 137, signal: 9 } : exit)
      }
      this.#child.once('error', (error) => void finish({ exitCode: 128, message: error.message }))
      this.#child.once('close', (code, signal) => {
        if (signal === null) void finish({ exitCode: code ?? 0 })
        else void finish({ exitCode: 128 + constants.signals[signal], signal: constants.signals[signal] })
      })
    })
  }
}

const maximumLastWords = 4096

/** A file of the machine that the container sees at `lastWordsPath`, among its mounts, and how to read it. */
function withLastWords({ mounts, scratch, lastWordsPath }: ContainerProcessOptions) {
  if (lastWordsPath === undefined) return { mounts, lastWords: () => '' }
  // Beside the scratch directory: what is in there ends with the container.
  const source = `${scratch}.last`
  writeFileSync(source, '')
  // The umask must not keep a container's user out.
  chmodSync(source, 0o666)
  const lastWords = (): string => {
    const file = openSync(source, 'r')
    const buffer = Buffer.alloc(maximumLastWords)
    try {
      return buffer.toString('utf8', 0, readSync(file, buffer))
    } finally {
      closeSync(file)
    }
  }
  return { mounts: [...mounts, { source, target: lastWordsPath, readOnly: false }], lastWords }
}

/** The command that makes the namespaces of a container and becomes its first process. */
function containerCommand(options: ContainerProcessOptions): string[] {
  const { hostname, workingDirectory, scratch, files, mounts, processesOf, environment } = options
  // A shell drops variables whose names it could not use, such as `data-1` out of a ConfigMap.
  const odd = Object.entries(environment).filter(([name]) => !/^[A-Za-z_]\w*$/.test(name))
  const pairs = odd.map(([name, value]) => `${name}=${value}`)
  const argv = pairs.length === 0 ? options.argv : ['env', ...pairs, ...options.argv]
  const inner = ['sh', '-c', containerScript(mounts), 'container', scratch, files, hostname, workingDirectory]
  const program = options.tty ? ['setsid', '--ctty', '--wait', ...argv] : argv
  const unshare = ['unshare', '--mount', '--uts']
  const kept =
    processesOf === undefined
      ? [...unshare, '--pid', '--fork', '--kill-child']
      : ['nsenter', '--target', String(processesOf), '--pid', '--', ...unshare]
  return [...kept, ...inner, ...program]
}
