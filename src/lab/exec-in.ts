import { type StdioOptions, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { askLab } from './control-client.ts'
import type { ExecPlace, ExecTarget } from './exec-place.ts'
import { findLab, type Lab } from './lab.ts'
import { findInit } from './run-directory.ts'

/**
 * Runs a command of this machine in the lab, with the caller's own standard streams unless others are given; resolves to its
 * exit code, 128 and the signal's number when a signal ended it. Throws when the lab or the target is not there.
 */
export async function execIn(
  labName: string,
  target: ExecTarget,
  argv: readonly string[],
  stdio: StdioOptions = 'inherit',
): Promise<number> {
  const lab = await findLab(labName)
  const init = lab && findInit(lab.directory)
  if (lab === undefined || init === undefined) throw new Error(`no lab "${labName}" is running; start it with plumb up`)
  const place = await askLab<ExecPlace>(lab.directory, 'exec', target)
  const command = enterFromHost(init, place, argv)
  const environment = place.kind === 'machine' ? process.env : { ...terminal(), ...place.environment }
  return run(command, environment, stdio)
}

/** The path of a target's network namespace, valid inside the lab's PID namespace. */
export async function findPlace(labName: string, target: ExecTarget): Promise<string> {
  const lab = await findLab(labName)
  if (lab === undefined) throw new Error(`no lab "${labName}" is running; start it with plumb up`)
  const place = await askLab<ExecPlace>(lab.directory, 'exec', target)
  return place.kind === 'machine' ? place.network : `/proc/${place.pid}/ns/net`
}

/** The same as a path of this machine, outside the lab's PID namespace. */
export async function findPlaceHere(lab: Lab, target: ExecTarget): Promise<string> {
  const init = findInit(lab.directory)
  if (init === undefined) throw new Error(`lab ${lab.state.name} has ended`)
  const place = await askLab<ExecPlace>(lab.directory, 'exec', target)
  return `/proc/${init}/root${place.kind === 'machine' ? place.network : `/proc/${place.pid}/ns/net`}`
}

/** The command that enters a place of the lab whose first process is `init`, seen from the host's PID namespace. */
export function enterFromHost(init: number, place: ExecPlace, argv: readonly string[]): string[] {
  // The lab's own /proc, through the root of its first process, knows the processes by the numbers that the lab uses.
  const proc = `/proc/${init}/root/proc`
  const namespaces =
    place.kind === 'machine'
      ? [`--net=/proc/${init}/root${place.network}`, `--mount=/proc/${init}/ns/mnt`, `--pid=/proc/${init}/ns/pid`]
      : ['net', 'uts', 'pid', 'mnt'].map(
          (type) => `--${type === 'mnt' ? 'mount' : type}=${proc}/${place.pid}/ns/${type}`,
        )
  return ['nsenter', ...namespaces, '--', ...argv]
}

function terminal(): Record<string, string> {
  return process.env.TERM === undefined ? {} : { TERM: process.env.TERM }
}

function run(command: readonly string[], env: NodeJS.ProcessEnv, stdio: StdioOptions): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { env, stdio, cwd: '/' })
    // The terminal interrupts the command itself; what is meant for this process alone is passed on.
    const ignore = (): void => undefined
    const pass = (signal: NodeJS.Signals): void => signalCommand(child.pid, signal)
    process.on('SIGINT', ignore).on('SIGTERM', pass).on('SIGHUP', pass)
    const finish = (): void => {
      process.off('SIGINT', ignore).off('SIGTERM', pass).off('SIGHUP', pass)
    }
    child.once('error', (error) => {
      finish()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      finish()
      resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal])
    })
  })
}

/** Signals the command that `nsenter` waits for: entering a PID namespace takes a fork, so it is its child. */
function signalCommand(nsenter: number | undefined, signal: NodeJS.Signals): void {
  if (nsenter === undefined) return
  try {
    const children = readFileSync(`/proc/${nsenter}/task/${nsenter}/children`, 'utf8').split(' ')
    for (const pid of children.map(Number).filter((one) => one > 0)) process.kill(pid, signal)
  } catch {
    // It has just ended.
  }
}
