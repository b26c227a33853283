import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type Certificates,
  configMap,
  makeCertificates,
  openClient,
  type TestClient,
  testOptions,
} from './server.fixture.ts'

const path = '/api/v1/namespaces/default/configmaps'
const folder = mkdtempSync(join(tmpdir(), 'plumb-slow-'))
const piece = 'x'.repeat(100_000)
let certificates: Certificates
let child: ChildProcess
let client: TestClient

// A process of its own, so that its memory can be measured.
before(async () => {
  certificates = await makeCertificates()
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { historyEvents: 400 })), { mode: 0o600 })
  child = spawn(process.execPath, [fileURLToPath(new URL('./crash.fixture.ts', import.meta.url)), config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>((resolve) => {
    child.stdout!.once('data', (chunk: Buffer) => resolve(JSON.parse(chunk.toString()).port))
  })
  client = openClient(port, certificates)
})
after(() => {
  client.close()
  child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A watch whose client does not read until it is told to. */
function watchWithoutReading(query: string): Promise<IncomingMessage> {
  const { authority, admin } = certificates
  const agent = new Agent({ ca: authority.cert, key: admin.key, cert: admin.cert })
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: client.port, path: `${path}?watch=true${query}`, agent })
    outgoing.on('response', (response) => {
      response.pause()
      response.on('error', () => undefined)
      resolve(response)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

async function residentBytes(): Promise<number> {
  const { text } = await client.call('GET', '/metrics')
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1])
}

test('large requests right after large answers on one connection', async () => {
  for (let i = 0; i < 200; i++) {
    const answer = await client.call('POST', path, configMap(`c-${i}`, { piece, i: String(i) }))
    assert.equal(answer.code, 201, answer.text)
  }
})

test('a watcher far behind gets everything at its own pace, however much that is', async () => {
  const query = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  const slow = await watchWithoutReading(query)
  // What changes while it reads the beginning comes after the beginning.
  await pause(200)
  for (let i = 0; i < 50; i++) await client.call('PATCH', `${path}/c-${i}`, { data: { i: `again ${i}` } })
  const phases: string[] = []
  let rest = ''
  for await (const chunk of slow.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const { type, object } = JSON.parse(line)
      assert.notEqual(type, 'ERROR', line)
      phases.push(type === 'BOOKMARK' ? 'BOOKMARK' : `${type} ${object.metadata.name} ${object.data.i}`)
    }
    if (phases.at(-1) === 'MODIFIED c-49 again 49') break
  }
  assert.equal(phases.indexOf('BOOKMARK'), 200)
  assert.deepEqual(new Set(phases.slice(0, 200)).size, 200)
  assert.deepEqual(
    phases.slice(201),
    Array.from({ length: 50 }, (_, i) => `MODIFIED c-${i} again ${i}`),
  )
})

test('watchers that do not read are cut off, and the memory for them is bounded', async () => {
  const { resourceVersion } = (await client.call('GET', `${path}?limit=1`)).body.metadata
  const before = await residentBytes()
  const query = `&resourceVersion=${resourceVersion}`
  const slow = await Promise.all(Array.from({ length: 30 }, () => watchWithoutReading(query)))
  const ends = slow.map((response) => new Promise((resolve) => response.once('close', resolve)))
  let peak = 0
  for (let i = 0; i < 400; i++) {
    await client.call('PATCH', `${path}/c-${i % 50}`, { data: { i: String(i), piece } })
    if (i % 20 === 0) peak = Math.max(peak, await residentBytes())
  }
  const grown = (peak - before) / 2 ** 20
  console.log(`30 watchers that do not read, 40 MB of events: the server grew by ${grown.toFixed(0)} MiB at most`)
  // Thirty times what each may have waiting would be 480 MiB: events are shared by the watchers.
  assert.ok(grown < 300, `${grown} MiB`)
  // They notice when they look.
  for (const response of slow) response.resume()
  await Promise.all(ends)
  const fresh = await client.watch(`${path}?watch=true&resourceVersion=0&limit=1`)
  assert.equal((await fresh.next()).type, 'ADDED', 'others go on')
  fresh.close()
})
