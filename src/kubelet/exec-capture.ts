import { type ChildProcess, spawn } from 'node:child_process'

/** The words that run a command inside the namespaces of process `pid`; its root and environment are the container's. */
export function enterCommand(pid: number, argv: readonly string[], directory = '/'): string[] {
  const target = ['--target', String(pid), '--mount', '--uts', '--net', '--pid']
  return ['nsenter', ...target, `--wd=${`/proc/${pid}/cwd`}`, '--', 'env', '-C', directory, ...argv]
}

const maximumOutput = 16 * 1024

/** Runs a command in a container and collects what it says; rejects when it takes longer than `timeoutMs`. */
export function runInContainer(
  pid: number,
  environment: Readonly<Record<string, string>>,
  argv: readonly string[],
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  const [program, ...words] = enterCommand(pid, argv)
  return new Promise((resolve, reject) => {
    const child = spawn(program!, words, { env: { ...environment }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let output = ''
    const collect = (chunk: Buffer): void => {
      if (output.length < maximumOutput) output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    const timer = setTimeout(() => {
      killGroup(child)
      reject(new Error(`command timed out: ${argv.join(' ')}`))
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ exitCode: code ?? 137, output })
    })
  })
}

/** Ends a command that was started detached, with the process that nsenter forked for it, which is in the same group. */
export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
