import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { defaultNetwork } from './config.ts'
import { down } from './lab.ts'
import { type Launch, type LaunchMessage, launch } from './launch.ts'
import { findInit, findLauncher, runDirectory, runFile } from './run-directory.ts'

// A supervisor in miniature: a child with an orphaned grandchild, then `ready`, as the real one does it.
const supervisor = `
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { openLifeline } from ${JSON.stringify(new URL('./lifeline.ts', import.meta.url).href)}
const run = process.argv[process.argv.indexOf('--run') + 1]
if (run.endsWith('broken')) throw new Error('out of pins')
const lifeline = openLifeline(() => process.exit(0))
spawn('sh', ['-c', 'sleep 1000 & sleep 0.01'], { stdio: 'ignore' })
writeFileSync(run + '/pids', process.pid + ' of ' + process.ppid)
lifeline.progress('wired')
lifeline.tell({ kind: 'ready' })
setInterval(() => {}, 1000)
`

let root: string
before(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-launch-'))
  writeFileSync(join(root, 'supervisor.ts'), supervisor)
  process.env.PLUMB_RUN = root
})
after(() => rmSync(root, { recursive: true, force: true }))

function start(name: string): { launched: Launch; end: Promise<LaunchMessage> } {
  const directory = runDirectory(name)
  const entry = [process.execPath, join(root, 'supervisor.ts')]
  const launched = launch(directory, {
    name,
    path: directory.path,
    nodes: 1,
    segments: 1,
    entry,
    network: defaultNetwork,
    images: [],
  })
  const end = new Promise<LaunchMessage>((resolve) => {
    launched.onMessage((message) => {
      if (message.kind === 'ready' || message.kind === 'failed') resolve(message)
    })
  })
  return { launched, end }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!condition()) {
    assert(Date.now() < end, `${what}: not within 10 s`)
    await pause(10)
  }
}

/** The processes of the host that are in the PID namespace whose first process is `init`. */
function members(init: number): string {
  return readFileSync(`/proc/${init}/status`, 'utf8').match(/^NSpid:\s+(.*)$/m)?.[1] ?? ''
}

async function assertNothingLeft(name: string, init: number): Promise<void> {
  const directory = runDirectory(name)
  await until('run directory removed', () => !existsSync(directory.path))
  await until('first process gone', () => !existsSync(`/proc/${init}`) || findInit(directory) === undefined)
  assert.equal(findLauncher(directory), undefined)
}

test('a lab has a PID namespace of its own and stays when it is kept; down leaves nothing', async () => {
  const { launched, end } = start('kept')
  assert.deepEqual(await end, { kind: 'ready' })
  launched.keep()
  const init = findInit(runDirectory('kept'))
  assert(init !== undefined)
  assert.match(members(init), /\t1$/)
  assert.match(readFileSync(runFile(runDirectory('kept'), 'pids'), 'utf8'), / of 1$/, 'PID 1 is its parent')
  assert.equal(await down('kept'), true)
  await assertNothingLeft('kept', init)
  assert.equal(await down('kept'), false)
})

for (const victim of ['supervisor', 'init', 'unshare'] as const) {
  test(`kill -9 of the ${victim} takes everything along`, async () => {
    const { launched, end } = start(victim)
    await end
    launched.keep()
    const init = findInit(runDirectory(victim))
    assert(init !== undefined)
    const parent = Number(readFileSync(`/proc/${init}/stat`, 'utf8').split(' ')[3])
    const child = findChild(init)
    process.kill({ supervisor: child, init, unshare: parent }[victim], 'SIGKILL')
    await assertNothingLeft(victim, init)
    await until('supervisor gone', () => !existsSync(`/proc/${child}`))
  })
}

test('the lab ends with the process that starts it, unless it was kept', async () => {
  const { launched, end } = start('abandoned')
  await end
  const init = findInit(runDirectory('abandoned'))
  assert(init !== undefined)
  launched.abort()
  await assertNothingLeft('abandoned', init)
})

test('a supervisor that dies at once is a failure with its last words', async () => {
  const { end } = start('broken')
  const message = await end
  assert(message.kind === 'failed')
  assert.match(message.tail?.join('\n') ?? '', /out of pins/)
  await until('run directory removed', () => !existsSync(runDirectory('broken').path))
})

test('names that cannot be directories are refused', () => {
  for (const name of ['', '..', 'a/b', 'UPPER', '-a', 'x'.repeat(40)])
    assert.throws(() => runDirectory(name), TypeError)
})

/** The supervisor, seen from the host: the process whose parent is `init`. */
function findChild(init: number): number {
  const own = Number(process.pid)
  for (let pid = init + 1; pid < init + 200; pid++) {
    try {
      const [, , , parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/\(.*\)/, 'x')
        .split(' ')
      if (Number(parent) === init && pid !== own) {
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('lab-supervisor')) return pid
      }
    } catch {
      // Not a process.
    }
  }
  throw new Error(`process ${init} has no child`)
}
