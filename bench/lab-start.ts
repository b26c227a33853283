import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { down, up } from '../src/lab/index.ts'
import type { Row } from './row.ts'

const runs = 5
const name = 'bench'

/** A lab of three nodes with the shop example: until all is Ready, until nothing is left, and its memory (PSS of all processes). */
export async function* bench(): AsyncGenerator<Row> {
  const root = mkdtempSync(join(tmpdir(), 'plumb-bench-'))
  process.env.PLUMB_RUN = root
  const ups: number[] = []
  const downs: number[] = []
  const memories: Map<string, number>[] = []
  try {
    for (let run = 0; run < runs; run++) {
      const files = [join(import.meta.dirname, '..', 'examples', 'shop')]
      const summary = await up({ name, nodes: 3, files, timeoutMs: 60_000 })
      if (summary.unsettled.length > 0) throw new Error(`not Ready: ${JSON.stringify(summary.unsettled)}`)
      ups.push(summary.ms)
      memories.push(memoryByRole(Number(readFileSync(join(root, name, 'init.pid'), 'utf8'))))
      const startedAt = performance.now()
      await down(name)
      downs.push(performance.now() - startedAt)
    }
  } finally {
    await down(name)
    rmSync(root, { recursive: true, force: true })
  }
  yield row('up until all is Ready, median', median(ups), 'ms')
  yield row('up until all is Ready, worst', Math.max(...ups), 'ms')
  yield row('down, median', median(downs), 'ms')
  const last = memories.at(-1) ?? new Map<string, number>()
  yield row('memory in all', sum(last.values()), 'MB')
  for (const [role, megabytes] of last) yield row(`memory of ${role}`, megabytes, 'MB')
}

function row(metric: string, value: number, unit: string): Row {
  return { bench: 'lab-start', metric, value, unit }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0)
}

/** PSS in MB of the lab's first process and all its descendants, by the role that their command line names. */
function memoryByRole(init: number): Map<string, number> {
  const byRole = new Map<string, number>()
  for (const pid of readdirSync('/proc')
    .map(Number)
    .filter((one) => one > 0)) {
    try {
      if (!descends(pid, init)) continue
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const main = words.findIndex((word) => /main\.[tj]s$/.test(word))
      const role = words[0]?.endsWith('node') && main >= 0 ? (words[main + 1] ?? '') : 'containers and shells'
      const kilobytes = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
      byRole.set(role, (byRole.get(role) ?? 0) + kilobytes / 1024)
    } catch {
      // It has just ended.
    }
  }
  return byRole
}

function descends(pid: number, ancestor: number): boolean {
  let at = pid
  while (at > 1 && at !== ancestor)
    at = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${at}/status`, 'utf8'))?.[1] ?? 0)
  return at === ancestor
}
