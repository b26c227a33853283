import assert from 'node:assert/strict'
import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { openHost } from '../src/host/index.ts'
import { findLab, findPlaceHere } from '../src/lab/index.ts'

const run = promisify(execFile)
const plumb = resolve(import.meta.dirname, '..', 'plumb')

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

/** Connections that are open. */
export interface Clients {
  /** How many connections with pods of these nodes there are, and how many of them live; of all nodes unless told. */
  count(nodes?: readonly string[]): Promise<{ all: number; alive: number }>
  close(): void
}

/** A lab of one test file, used by the command line alone. */
export class TestLab {
  readonly name: string
  readonly #environment: NodeJS.ProcessEnv
  #kubeconfig = ''

  constructor(name: string) {
    this.name = name
    this.#environment = { ...process.env, PLUMB_LAB: name }
  }

  /** The lab's folder, with a folder for each node in it. */
  get folder(): string {
    return dirname(this.#kubeconfig)
  }

  /** `plumb up`, with words behind it. */
  async start(...words: string[]): Promise<void> {
    const up = await this.cli('up', ...words)
    assert.equal(up.code, 0, up.stderr)
    this.#kubeconfig = (await this.cli('kubeconfig')).stdout.trim()
  }

  async stop(): Promise<void> {
    await this.cli('down')
  }

  /** Runs the command line; a failure is an outcome like any other. */
  cli(...words: string[]): Promise<Outcome> {
    return run(plumb, words, { env: this.#environment, maxBuffer: 1 << 24 }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: Outcome) => error,
    )
  }

  /** The command line as a process that goes on. */
  spawn(words: readonly string[], stdio: SpawnOptions['stdio']): ChildProcess {
    return spawn(plumb, words, { env: this.#environment, stdio })
  }

  /** What kubectl prints; throws when it fails. */
  async kubectl(...words: string[]): Promise<string> {
    return (await run('kubectl', ['--kubeconfig', this.#kubeconfig, ...words], { maxBuffer: 1 << 24 })).stdout.trim()
  }

  async apply(object: unknown): Promise<void> {
    const applied = run('kubectl', ['--kubeconfig', this.#kubeconfig, 'apply', '-f', '-'])
    applied.child.stdin?.end(JSON.stringify(object))
    await applied
  }

  /** Pulls the cable between a node and its switch, or plugs it in. */
  async cable(node: string, isUp: boolean): Promise<void> {
    const found = await findLab(this.name)
    assert.ok(found !== undefined, 'the lab runs')
    const switches = openHost().openNamespace(await findPlaceHere(found, { kind: 'switches' }))
    switches.network.setLink(node, { up: isUp })
    switches.close()
  }

  /** Conversations of the outside client with a Service's address whose pods are stand-ins, half of them busy. */
  async openClients(address: string, count: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<Clients> {
    const script = resolve(import.meta.dirname, 'clients.fixture.ts')
    const words = ['exec', '--outside', '--', process.execPath, script, address, String(count), protocol]
    const child = this.spawn(words, ['pipe', 'pipe', 'inherit'])
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    assert.equal((await lines.next()).value, 'open')
    const nodeOf = (pod: string): Promise<string> => this.kubectl('get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}')
    return {
      async count(nodes) {
        child.stdin?.write('again\n')
        const byPod = JSON.parse((await lines.next()).value ?? '{}') as Record<string, { all: number; alive: number }>
        const sum = { all: 0, alive: 0 }
        for (const [pod, { all, alive }] of Object.entries(byPod)) {
          if (nodes !== undefined && !nodes.includes(await nodeOf(pod))) continue
          sum.all += all
          sum.alive += alive
        }
        return sum
      },
      close: () => void child.kill(),
    }
  }

  /** The host's process id of a node's agent. */
  findAgent(node: string): number | undefined {
    return this.findProcess('agent', node)
  }

  /** The host's process id of one of the lab's processes, by words of its command line. */
  findProcess(...wanted: readonly string[]): number | undefined {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .find((pid) => {
        try {
          const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
          return wanted.every((one) => words.includes(one)) && words.some((word) => word.startsWith(this.folder))
        } catch {
          return false
        }
      })
  }
}
