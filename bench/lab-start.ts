/**
 * How long a lab of three nodes with the shop example takes to be Ready and to be gone, and what it costs in memory (PSS of all its
 * processes). `node bench/lab-start.ts [runs] [manifest…]`
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { down, up } from '../src/lab/index.ts'

const runs = Number(process.argv[2] ?? 3)
const given = process.argv.slice(3)
const files = given.length > 0 ? given : [join(import.meta.dirname, '..', 'examples', 'shop')]
const root = mkdtempSync(join(tmpdir(), 'plumb-bench-'))
process.env.PLUMB_RUN = root

/** PSS in MB of the processes in PID namespaces below the lab's, by the command's role. */
function memory(name: string): Map<string, number> {
  const init = Number(readFileSync(join(root, name, 'init.pid'), 'utf8'))
  const byRole = new Map<string, number>()
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const chain =
        readFileSync(`/proc/${pid}/status`, 'utf8')
          .match(/^NSpid:\t(.*)$/m)?.[1]
          ?.split('\t') ?? []
      if (chain.length < 2 || !descends(Number(pid), init)) continue
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const main = words.findIndex((word) => /main\.[tj]s$/.test(word))
      const role = words[0]?.endsWith('node') && main >= 0 ? (words[main + 1] ?? '') : 'containers and shells'
      const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024
      byRole.set(role, (byRole.get(role) ?? 0) + pss)
    } catch {
      // It has just ended.
    }
  }
  return byRole
}

function descends(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === ancestor) return true
    at = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${at}/status`, 'utf8'))?.[1] ?? 0)
  }
  return false
}

try {
  for (let run = 1; run <= runs; run++) {
    const summary = await up({ name: 'bench', nodes: 3, files, timeoutMs: 60_000 }, (text, ms) => {
      if (run === 1) console.log(`  ${String(ms).padStart(6)} ms  ${text}`)
    })
    const roles = memory('bench')
    const total = [...roles.values()].reduce((sum, value) => sum + value, 0)
    const startedAt = performance.now()
    await down('bench')
    const downMs = Math.round(performance.now() - startedAt)
    const parts = [...roles].map(([role, value]) => `${role} ${value.toFixed(0)}`).join(', ')
    const unsettled = summary.unsettled.length === 0 ? '' : `, ${summary.unsettled.length} not Ready`
    console.log(
      `run ${run}: up ${summary.ms} ms (${summary.pods.ready} pods${unsettled}), down ${downMs} ms, ${total.toFixed(0)} MB (${parts})`,
    )
  }
} finally {
  await down('bench')
  rmSync(root, { recursive: true, force: true })
}
process.exit()
