import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Cause, Diagnosis } from '../src/doctor/index.ts'
import { execIn } from '../src/lab/index.ts'
import type { Fault } from './doctor-faults.ts'
import { objectsOf } from './doctor-objects.ts'

const run = promisify(execFile)
const plumb = join(import.meta.dirname, '..', 'plumb')

/** What `plumb doctor` said of one fault. */
export interface Said {
  readonly code: number
  readonly says: string
  readonly causes: readonly Cause[]
  readonly ms: number
  readonly emitter: string | undefined
}

/** A lab with all objects of all faults. */
export class FaultLab {
  readonly #env: NodeJS.ProcessEnv
  readonly #name: string

  constructor(name: string) {
    this.#name = name
    this.#env = { ...process.env, PLUMB_LAB: name }
  }

  /** Starts it; pods that never become Ready are part of it. */
  async start(faults: readonly Fault[]): Promise<void> {
    const { code, stderr } = await this.cli('up', '--timeout', '110')
    if (code !== 0) throw new Error(`the lab does not come up: ${stderr}`)
    const { stdout } = await this.cli('kubeconfig')
    this.#env.KUBECONFIG = stdout.trim()
    await this.#apply(
      'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: plumb }\nspec: { controller: plumb.network/gateway }',
    )
    await this.#apply(
      faults.map(({ name }) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n---`).join('\n'),
    )
    await aFewAtATime(faults, ({ name, parts }) => this.#apply(objectsOf(parts), name))
  }

  async stop(): Promise<void> {
    await this.cli('down')
  }

  /** Waits until the client runs and the pods have come as far as they get. */
  async settled(faults: readonly Fault[]): Promise<void> {
    await aFewAtATime(faults, async ({ name }) => {
      const words = ['wait', '-n', name, '--for=condition=Ready', '--timeout=120s', 'pod/client']
      await run('kubectl', words, { env: this.#env })
    })
  }

  /** Does what a fault needs beyond its objects, or takes it back. */
  async inject({ inject = [], name }: Pick<Fault, 'inject' | 'name'>, which: 'on' | 'off'): Promise<void> {
    for (const one of inject) {
      const app = /\$\{?APP/.test(one[which]) ? await this.#addressOf(name) : ''
      await this.#do(one.node, name, `APP=${app}; NAMESPACE=${name}; ${one[which]}`)
    }
  }

  async #do(where: string, namespace: string, command: string): Promise<void> {
    const words = ['sh', '-c', command]
    if (where === 'kubectl') {
      await this.kubectl(command)
      return
    }
    if (where === 'router') {
      const code = await execIn(this.#name, { kind: 'router' }, words, 'ignore')
      if (code !== 0) throw new Error(`${where}: ${command}: exit status ${code}`)
      return
    }
    const place =
      where === 'outside'
        ? ['--outside']
        : where.startsWith('pod/')
          ? ['-n', namespace, where.slice('pod/'.length)]
          : ['--node', where]
    const { code, stderr } = await this.cli('exec', ...place, '--', ...words)
    if (code !== 0) throw new Error(`${where}: ${command}: ${stderr}`)
  }

  /** Runs a shell's words with the rights of whoever may change objects. */
  async kubectl(command: string): Promise<void> {
    await run('sh', ['-c', command], { env: this.#env, timeout: 60_000 })
  }

  async #addressOf(namespace: string): Promise<string> {
    const words = ['get', 'pod', 'app', '-n', namespace, '-o', 'jsonpath={.status.podIP}']
    return (await run('kubectl', words, { env: this.#env })).stdout
  }

  async doctor(fault: Fault): Promise<Said> {
    const started = performance.now()
    const { code, stdout, stderr } = await this.cli(
      'doctor',
      fault.target ?? 'svc/web',
      '-n',
      fault.name,
      '-o',
      'json',
      '--from',
      'client',
    )
    const ms = Math.round(performance.now() - started)
    if (stdout === '') return { code, says: stderr, causes: [], ms, emitter: undefined }
    const [first] = (JSON.parse(stdout) as { diagnoses: Pick<Diagnosis, 'says' | 'causes' | 'emitter'>[] }).diagnoses
    return { code, says: first?.says ?? '', causes: first?.causes ?? [], ms, emitter: first?.emitter?.who }
  }

  /** Runs the command line; a failure is an outcome like any other. */
  async cli(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return run(plumb, words, { env: this.#env, maxBuffer: 1 << 24, timeout: 120_000 }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
  }

  /** Starts a command that goes on; `said` resolves with all that it printed when that fits. */
  follow(...words: string[]): { said(pattern: RegExp): Promise<string>; end(): Promise<void> } {
    const child = spawn(plumb, words, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (data: Buffer) => {
      text += data
    })
    return {
      async said(pattern) {
        while (!pattern.test(text)) await once(child.stdout, 'data', { signal: AbortSignal.timeout(60_000) })
        return text
      },
      async end() {
        child.kill('SIGINT')
        await once(child, 'exit')
      },
    }
  }

  /** Runs `kubectl plumb …` with the launcher as the plugin. */
  async plugin(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const folder = mkdtempSync(join(tmpdir(), 'plumb-plugin-'))
    try {
      symlinkSync(plumb, join(folder, 'kubectl-plumb'))
      const env = { ...this.#env, PATH: `${folder}:${process.env.PATH}` }
      const { stdout, stderr } = await run('kubectl', ['plumb', ...words], { env, timeout: 120_000 })
      return { code: 0, stdout, stderr }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  async #apply(text: string, namespace?: string): Promise<void> {
    const where = namespace === undefined ? [] : ['-n', namespace]
    const child = spawn('kubectl', ['apply', ...where, '-f', '-'], {
      env: this.#env,
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    child.stdin.end(text)
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`kubectl apply of ${namespace ?? 'namespaces'} failed`)
  }
}

/** A kubectl for each of a hundred namespaces at once is more than two cores take. */
async function aFewAtATime(faults: readonly Fault[], work: (fault: Fault) => Promise<void>): Promise<void> {
  const waiting = [...faults]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: 6 }, worker))
}

/** At which place the right cause was named, from 1; undefined when it was not. */
export function placeOf(fault: Fault, { causes, emitter }: Said): number | undefined {
  if (fault.emitter !== undefined && emitter !== fault.emitter) return undefined
  const at = causes.findIndex((one) => names(one, fault))
  return at < 0 ? undefined : at + 1
}

/** Kinds without a namespace. */
const unscoped = new Set(['node', 'request', 'bgppeer', 'ipaddresspool'])

/** Whether a cause is what a fault, in the namespace `where`, is to be blamed on. */
export function names(cause: Cause, { rule, object, field = '', name }: Fault, where = name): boolean {
  const [kind = '', own, ...more] = object.split('/')
  const isWhole = more.length > 0 || unscoped.has(kind)
  const wanted = isWhole ? object : `${kind}/${where}/${own}`
  return cause.rule === rule && cause.object === wanted && cause.field.includes(field)
}
