import { type ChildProcess, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { spawnIn } from '../../src/host/index.ts'
import type { Contender, Stand } from './stand.ts'

const [few, many] = [100, 600]
let turn = 0

/** Whether instructions can be counted here. */
export function canCount(): boolean {
  return spawnSync('valgrind', ['--version']).error === undefined
}

/**
 * Instructions that HAProxy executes for a request, its kernel's not among them: the same configuration once more, in the namespace of a
 * pod, under callgrind with one thread, asked by one client that keeps its connection.
 */
export async function instructions(
  stand: Stand,
  { title, config = '', ...ports }: Contender,
  scheme: 'http' | 'https',
  routes: number,
): Promise<number> {
  const station = stand.gateway.rig.backends[1].namespace
  const directory = copied(stand, config)
  const out = join(directory, 'callgrind.out')
  const words = [
    '--tool=callgrind',
    `--callgrind-out-file=${out}`,
    'haproxy',
    '-db',
    '-f',
    join(directory, 'haproxy.cfg'),
  ]
  // What copies bytes by one instruction would be counted as one for each byte.
  const env = { ...process.env, GLIBC_TUNABLES: 'glibc.cpu.x86_rep_movsb_threshold=0x7fffffff' }
  const child = spawnIn(station, 'valgrind', words, { stdio: 'ignore', env })
  try {
    const ask = async (requests: number): Promise<number> =>
      (await stand.load(ports[scheme]!, scheme, routes, { station, to: '127.0.0.1', requests, clients: 1 })).failed
    await untilServing(child, () => ask(1), title)
    control('--zero', child)
    const totals: number[] = []
    for (const requests of [few, many]) {
      const failed = await ask(requests)
      if (failed > 0) throw new Error(`${title}: ${failed} of ${requests} requests failed while they were counted`)
      // Counts begin anew with each.
      control('--dump', child)
      totals.push(Number(/^totals: (\d+)/m.exec(readFileSync(`${out}.${totals.length + 1}`, 'utf8'))?.[1]))
    }
    // What a connection costs is in both.
    return (totals[1]! - totals[0]!) / (many - few)
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
}

function control(word: string, { pid }: ChildProcess): void {
  const { status, stderr } = spawnSync('callgrind_control', [word, String(pid)], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`callgrind_control ${word}: ${stderr}`)
}

async function untilServing(child: ChildProcess, ask: () => Promise<number>, title: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`${title} does not start under callgrind`)
    if ((await ask().catch(() => 1)) === 0) return
    await pause(100)
  }
  throw new Error(`${title} does not serve under callgrind`)
}

/** The files of a configuration, in a directory of their own; what tells the log goes on to tell the same reader. */
function copied(stand: Stand, from: string): string {
  const directory = join(stand.directory, `counted-${turn++}`)
  const read = (name: string): string => readFileSync(join(from, name), 'utf8')
  stand.makeDirectory(directory)
  for (const entry of readdirSync(from, { withFileTypes: true }))
    if (entry.isFile()) writeFileSync(join(directory, entry.name), read(entry.name).replaceAll(from, directory))
  const text = read('haproxy.cfg')
    .replaceAll(from, directory)
    .replaceAll(/unix@\S*\/flows\.sock/g, `unix@${join(from, 'flows.sock')}`)
    .replace(/^global$/m, 'global\n nbthread 1')
  writeFileSync(join(directory, 'haproxy.cfg'), text)
  return directory
}
