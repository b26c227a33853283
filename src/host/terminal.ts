import { closeSync, constants, openSync, write } from 'node:fs'
import { type Readable, Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { check } from './errno.ts'
import { libc } from './libc.ts'

// asm-generic/ioctls.h
const TIOCSPTLCK = 0x40045431
const TIOCGPTPEER = 0x5441
const TIOCSWINSZ = 0x5414
const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants

// How long input waits when the program does not read what was typed; the terminal holds 4 KiB.
const retryMs = 20

/** A pseudo-terminal, seen from the side of the person in front of it. */
export interface Terminal {
  /** The descriptor for the program's standard streams; `releaseProgram` closes it here once the program has it. */
  readonly programFd: number
  /** What the program writes; ends when no program has the terminal open any more. */
  readonly output: Readable
  /** What is typed. */
  readonly input: Writable
  /** Tells the program the size of the window, in characters. */
  resize(columns: number, rows: number): void
  releaseProgram(): void
  /** Hangs up: the programs of the terminal get SIGHUP. */
  close(): void
}

/** Opens a pseudo-terminal (pty(7)) by the path of a `ptmx`, which decides the devpts that it belongs to. Throws `HostError`. */
export function openTerminal(ptmx: string): Terminal {
  const step = `open a terminal at ${ptmx}`
  const fd = openSync(ptmx, O_RDWR | O_NOCTTY | O_NONBLOCK)
  try {
    check(step, libc().ioctl(fd, TIOCSPTLCK, Buffer.alloc(4)))
    const programFd = check(step, libc().ioctlNumber(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY))
    return new PseudoTerminal(fd, programFd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

class PseudoTerminal implements Terminal {
  readonly programFd: number
  readonly output: Readable
  readonly input: Writable
  readonly #fd: number
  #open = true
  #held = true

  constructor(fd: number, programFd: number) {
    this.#fd = fd
    this.programFd = programFd
    const output = new ReadStream(fd)
    this.output = output
    // When the last program has gone, the kernel says EIO.
    output.on('error', () => output.destroy())
    output.once('close', () => {
      this.#open = false
      this.releaseProgram()
    })
    this.input = new Writable({ write: (chunk: Buffer, _encoding, callback) => this.#type(chunk, callback) })
    this.input.on('error', () => undefined)
  }

  resize(columns: number, rows: number): void {
    if (!this.#open) return
    const size = Buffer.alloc(8)
    size.writeUInt16LE(Math.min(Math.max(rows, 0), 0xffff), 0)
    size.writeUInt16LE(Math.min(Math.max(columns, 0), 0xffff), 2)
    check('set the size of a terminal', libc().ioctl(this.#fd, TIOCSWINSZ, size))
  }

  releaseProgram(): void {
    if (this.#held) closeSync(this.programFd)
    this.#held = false
  }

  close(): void {
    this.output.destroy()
  }

  #type(chunk: Buffer, callback: (error?: Error | null) => void): void {
    if (!this.#open) return void callback()
    write(this.#fd, chunk, (error, written) => {
      if (error !== null && error.code !== 'EAGAIN') return callback(error)
      const rest = error === null ? chunk.subarray(written) : chunk
      if (rest.length === 0) callback()
      else setTimeout(() => this.#type(rest, callback), error === null ? 0 : retryMs)
    })
  }
}
