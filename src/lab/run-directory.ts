import { readFileSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where one running lab keeps its files; it exists exactly as long as the lab does. */
export interface RunDirectory {
  readonly name: string
  readonly path: string
}

/** The directory that holds the run directories of all labs: `$PLUMB_RUN`, else `/run/plumb`. */
export function runRoot(): string {
  return process.env.PLUMB_RUN ?? '/run/plumb'
}

/** The run directory of the lab `name`; throws when the name cannot be part of a file name or makes socket paths too long. */
export function runDirectory(name: string, root: string = runRoot()): RunDirectory {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name))
    throw new TypeError(`lab name "${name}": use at most 32 lower-case letters, digits and dashes`)
  const path = join(root, name)
  // sun_path holds 108 bytes (unix(7)); the longest name below is node-244/agent.sock.
  if (path.length > 80)
    throw new TypeError(`run directory ${path} is too long for unix sockets; set PLUMB_RUN to a shorter one`)
  return { name, path }
}

/** The path of a file inside the run directory. */
export function runFile(directory: RunDirectory, ...parts: string[]): string {
  return join(directory.path, ...parts)
}

/**
 * The host's process id of the lab's first process (PID 1 of its PID namespace), or undefined when it is gone. The
 * command line must name the run directory, so a number that was given to another process since is not taken for it.
 */
export function findInit(directory: RunDirectory): number | undefined {
  return findProcess(directory, 'init.pid')
}

/** The host's process id of the shell that waits for the lab's end and removes the run directory. */
export function findLauncher(directory: RunDirectory): number | undefined {
  return findProcess(directory, 'launcher.pid')
}

function findProcess(directory: RunDirectory, file: string): number | undefined {
  try {
    const pid = Number(readFileSync(runFile(directory, file), 'utf8'))
    if (!Number.isInteger(pid) || pid <= 1) return undefined
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words.includes(directory.path) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Removes what a lab that ended without its launcher left behind. */
export function removeRemains(directory: RunDirectory): void {
  rmSync(directory.path, { recursive: true, force: true })
}

/** The last lines of a log file, or nothing when there is none. */
export async function tailOf(path: string, lines: number): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-lines)
}

/** The names of the labs that have a run directory. */
export async function labNames(root: string = runRoot()): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}
