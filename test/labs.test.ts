import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const plumb = join(root, 'plumb')
const shop = join(root, 'examples', 'shop')
const runs = mkdtempSync(join(tmpdir(), 'plumb-'))
const env: NodeJS.ProcessEnv = { ...process.env, PLUMB_RUN: runs }

after(async () => {
  for (const name of readdirSync(runs)) await run(plumb, ['down', '--name', name], { env })
  rmSync(runs, { recursive: true, force: true })
})

/** Processes whose command line names the folder of these labs. */
function processes(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${runs}/`)
    } catch {
      return false
    }
  })
}

/** What the host's own network namespace has: links, and that this process is still in it. */
function hostNetwork(): string {
  return `${readlinkSync('/proc/self/ns/net')} ${readdirSync('/sys/class/net').join()}`
}

test('two labs live side by side; ending one leaves the other alone, and the host as it was', async () => {
  const before = hostNetwork()
  await Promise.all(['one', 'two'].map((name) => run(plumb, ['up', '--name', name, '-f', shop], { env })))
  const ask = (name: string) =>
    run(plumb, ['exec', '--name', name, 'client', '--', 'curl', '-sm', '5', 'http://web'], { env })
  for (const name of ['one', 'two']) assert.match((await ask(name)).stdout, /^pod: web-/)
  await run(plumb, ['down', '--name', 'one'], { env })
  assert.match((await ask('two')).stdout, /^pod: web-/)
  await run(plumb, ['down', '--name', 'two'], { env })
  assert.deepEqual(readdirSync(runs), [])
  assert.deepEqual(processes(), [])
  assert.equal(hostNetwork(), before)
})

test('Ctrl-C while a lab comes up leaves nothing, whenever it comes', async (t) => {
  for (const afterLines of [1, 2, 4]) {
    const up = spawn(plumb, ['up', '--name', 'cut', '-f', shop], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let lines = 0
    up.stderr.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('\n').length - 1
      if (lines >= afterLines) up.kill('SIGINT')
    })
    await once(up, 'exit')
    const cutAt = performance.now()
    while (existsSync(join(runs, 'cut')) || processes().length > 0) {
      assert.ok(performance.now() < cutAt + 20_000, `left after ${lines} lines: ${processes().join()}`)
      await pause(10)
    }
    t.diagnostic(`cut after ${lines} lines: nothing left after ${Math.round(performance.now() - cutAt)} ms`)
  }
})
