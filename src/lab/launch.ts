import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { LabConfig } from './config.ts'
import { type RunDirectory, runFile } from './run-directory.ts'

/** What the supervisor tells whoever started it, one JSON object per line. */
export type LaunchMessage =
  | { readonly kind: 'progress'; readonly text: string; readonly ms: number }
  | { readonly kind: 'api'; readonly kubeconfig: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly reason: string; readonly log?: string; readonly tail?: readonly string[] }

/** A supervisor that has just been started. Until `keep`, the lab ends when the starting process ends. */
export interface Launch {
  /** Calls back for each message; a supervisor that dies yields `failed`. */
  onMessage(callback: (message: LaunchMessage) => void): void
  keep(): void
  abort(): void
}

/**
 * The outer shell waits for the lab's end, however it comes, and removes the run directory. `unshare` makes the namespaces;
 * `--kill-child` sets PR_SET_PDEATHSIG, so the lab does not outlive it.
 */
const outerScript = `
echo $$ >"$1/launcher.pid"
unshare --pid --fork --kill-child --mount --propagation private -- sh -c "$0" "$@"
[ "$(cat "$1/launcher.pid" 2>/dev/null)" = $$ ] && rm -rf -- "$1"
`

/**
 * PID 1 of the lab: a shell that reaps orphans (its wait loop takes every child) and ends with the supervisor, whereupon the
 * kernel kills all that is left in the PID namespace. /proc is still the host's when it reads its own pid there.
 */
const initScript = `
read -r pid rest </proc/self/stat
echo "$pid" >"$0/init.pid"
mount -t proc proc /proc
"$@" 0</dev/null &
wait $!
exit $?
`

/** Starts the detached supervisor of a lab whose run directory does not exist yet. Needs root. */
export function launch(directory: RunDirectory, config: LabConfig): Launch {
  mkdirSync(directory.path, { recursive: true, mode: 0o755 })
  writeFileSync(runFile(directory, 'config.json'), JSON.stringify(config))
  const log = openSync(runFile(directory, 'supervisor.log'), 'a')
  // A descriptor of its own: one that is shared with the writers would share their position.
  const logReader = openSync(runFile(directory, 'supervisor.log'), 'r')
  const child = spawn(
    'sh',
    ['-c', outerScript, initScript, directory.path, ...config.entry, 'lab-supervisor', '--run', directory.path],
    { detached: true, stdio: ['ignore', log, log, 'pipe'], cwd: '/' },
  )
  child.unref()
  closeSync(log)
  return follow(child.stdio[3] as Socket, logReader)
}

function follow(lifeline: Socket, log: number): Launch {
  let callback: (message: LaunchMessage) => void = () => undefined
  let finished = false
  let rest = ''
  const deliver = (message: LaunchMessage): void => {
    if (finished) return
    finished = message.kind === 'failed' || message.kind === 'ready'
    callback(message)
  }
  lifeline.on('data', (chunk: Buffer) => {
    rest += chunk.toString()
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) deliver(JSON.parse(line) as LaunchMessage)
  })
  lifeline.on('error', () => undefined)
  lifeline.on('close', () => {
    // The log may be unlinked already, but this descriptor still reads it.
    const tail = finished ? [] : readFileSync(log, 'utf8').trimEnd().split('\n').slice(-20)
    deliver({ kind: 'failed', reason: 'the lab supervisor ended before the lab was up', tail })
  })
  return {
    onMessage: (to) => {
      callback = to
    },
    keep: () => {
      lifeline.end('keep\n')
      lifeline.unref()
    },
    abort: () => lifeline.destroy(),
  }
}
