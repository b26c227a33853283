import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'

/**
 * The kubectls of this machine: those on the PATH. Of the versions that lie beside a dispatching one these are the oldest and
 * the newest; all of them with `PLUMB_KUBECTLS=all`.
 */
export function findKubectls(): string[] {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'))
  const real = new Set(onPath.filter(isExecutable).map((file) => realpathSync(file)))
  return [...real].flatMap((file) => {
    const minors = readdirSync(dirname(file)).flatMap((name) => /^kubectl\.1\.(\d+)$/.exec(name)?.[1] ?? [])
    const sorted = minors.sort((a, b) => Number(a) - Number(b))
    const chosen =
      process.env.PLUMB_KUBECTLS === 'all' ? sorted : sorted.filter((minor, at) => at === 0 || minor === sorted.at(-1))
    return chosen.length === 0 ? [file] : chosen.map((minor) => join(dirname(file), `kubectl.1.${minor}`))
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** One command of a script, and what it must do. */
export interface Step {
  /** Words, separated by single spaces; one that starts with `'` goes on to the next `'`. */
  readonly words: string
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  /** 0 when left out. */
  readonly code?: number
  readonly out?: RegExp
  readonly err?: RegExp
  /** The first minor version that knows the command. */
  readonly since?: number
}

export interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs one command of kubectl; `home` keeps its caches apart from those of other versions. */
export function runKubectl(file: string, home: string, kubeconfig: string, step: Step): Promise<Result> {
  const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(home, 'cache'), HOME: home, ...step.env }
  const words = [...step.words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  return new Promise((resolve) => {
    const child = execFile(file, words, { env, timeout: 60_000, maxBuffer: 64 << 20 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(step.input ?? '')
  })
}

/** The minor version that a kubectl says it is. */
export async function minorOf(file: string, home: string): Promise<number> {
  const { out } = await runKubectl(file, home, '', { words: 'version --client -o json' })
  return Number(/"minor": "(\d+)/.exec(out)?.[1] ?? 0)
}

/** Runs the commands one after another in a namespace and checks exit code and output of each. */
export async function runScript(
  file: string,
  home: string,
  kubeconfig: string,
  namespace: string,
  steps: readonly Step[],
): Promise<number> {
  const minor = await minorOf(file, home)
  let count = 0
  for (const step of steps) {
    if (minor < (step.since ?? 0)) continue
    const result = await runKubectl(file, home, kubeconfig, { ...step, words: `-n ${namespace} ${step.words}` })
    const all = `${basename(file)} ${step.words}\n${result.out}\n${result.err}`
    assert.equal(result.code, step.code ?? 0, all)
    if (step.out !== undefined) assert.match(result.out, step.out, all)
    if (step.err !== undefined) assert.match(result.err, step.err, all)
    count++
  }
  return count
}
