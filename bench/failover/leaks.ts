import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Row } from '../row.ts'

const script = fileURLToPath(new URL('../../src/agent/egress.test.ts', import.meta.url))
const starts = 1000
const moves = 100

/** The agent's own tests of what must never leave, at their full number: packets under another address in pod starts and in moves of the address. */
export async function* leaks(): AsyncIterable<Row> {
  for (const [name, pattern] of [
    [`${starts} pod starts`, 'first packet leaves'],
    [`${moves} moves under load`, 'a hundred moves'],
  ] as const) {
    const begun = performance.now()
    const words = ['--test', '--test-reporter', 'tap', '--test-name-pattern', pattern, script]
    const env = { ...process.env, PLUMB_RUNS: String(starts) }
    const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk) => {
      told += chunk
    })
    await once(child, 'close')
    if (child.exitCode !== 0 || !/^# pass 1$/m.test(told))
      throw new Error(`${name}: the test failed; run node ${words.join(' ')}`)
    const beside = { peer: `in ${((performance.now() - begun) / 1000).toFixed(0)} s` }
    yield { bench: 'failover', metric: `packets under another address in ${name}`, value: 0, unit: '', ...beside }
  }
}
