import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { openTerminal, type Terminal } from '../host/index.ts'
import { enterCommand, killGroup } from './exec-capture.ts'
import { exitStatus, failureStatus, type RemoteStreams } from './remote-streams.ts'

/** Where a command runs: inside the namespaces of process `pid`. */
export interface ExecTarget {
  readonly pid: number
  readonly environment: Readonly<Record<string, string>>
}

/** Runs a command in a container and carries its streams until it ends; it gets a terminal of its own if one is wanted. */
export function runExecSession(
  streams: RemoteStreams,
  command: readonly string[],
  tty: boolean,
  target: ExecTarget,
): void {
  const child = tty ? startInTerminal(streams, command, target) : startWithPipes(streams, command, target)
  child.once('error', (error) => void streams.finish(failureStatus(error.message, 'InternalError')))
}

function startWithPipes(streams: RemoteStreams, command: readonly string[], target: ExecTarget): ChildProcess {
  const child = spawnInside(target, command, target.environment, [
    streams.stdin === undefined ? 'ignore' : 'pipe',
    streams.stdout === undefined ? 'ignore' : 'pipe',
    streams.stderr === undefined ? 'ignore' : 'pipe',
  ])
  if (child.stdin !== null) {
    child.stdin.on('error', () => streams.stdin?.resume())
    streams.stdin?.pipe(child.stdin)
  }
  if (streams.stdout !== undefined) child.stdout?.pipe(streams.stdout)
  if (streams.stderr !== undefined) child.stderr?.pipe(streams.stderr)
  streams.onClose(() => killGroup(child))
  child.once('close', (code) => void streams.finish(exitStatus(code ?? 137)))
  return child
}

function startInTerminal(streams: RemoteStreams, command: readonly string[], target: ExecTarget): ChildProcess {
  // The terminal is one of the container's own, so that `tty` and what asks for its name work.
  const terminal: Terminal = openTerminal(`/proc/${target.pid}/root/dev/ptmx`)
  const { programFd: fd } = terminal
  const environment = { TERM: 'xterm', ...target.environment }
  const child = spawnInside(target, ['setsid', '--ctty', '--wait', ...command], environment, [fd, fd, fd])
  terminal.releaseProgram()
  streams.onResize((columns, rows) => terminal.resize(columns, rows))
  streams.stdin?.pipe(terminal.input, { end: false })
  if (streams.stdout === undefined) terminal.output.resume()
  else terminal.output.pipe(streams.stdout)
  streams.onClose(() => terminal.close())
  const ended = new Promise((resolve) => terminal.output.once('close', resolve))
  child.once('close', async (code) => {
    await ended
    await streams.finish(exitStatus(code ?? 137))
  })
  return child
}

function spawnInside(
  target: ExecTarget,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdio: SpawnOptions['stdio'],
): ChildProcess {
  const [program, ...words] = enterCommand(target.pid, command)
  return spawn(program!, words, { env: { ...environment }, stdio, detached: true })
}
