import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configMap, makeCertificates, openClient, startTestServer, testOptions } from './server.fixture.ts'

// How often the server is killed; the long tests set it.
const rounds = Number(process.env.PLUMB_ROUNDS ?? 3)
const folder = mkdtempSync(join(tmpdir(), 'plumb-crash-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function start(config: string): Promise<{ child: ChildProcess; port: number; revision: number; ms: number }> {
  const began = performance.now()
  const path = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [path, config], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the server ended: ${signal ?? code}`)))
    child.stdout!.once('data', (chunk: Buffer) =>
      resolve({ child, ...JSON.parse(chunk.toString()), ms: performance.now() - began }),
    )
  })
}

test('kill -9 in a storm of writes: nothing acknowledged is lost, no resourceVersion is used twice', async () => {
  const certificates = await makeCertificates()
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { dataDir: join(folder, 'data') })), { mode: 0o600 })
  const acknowledged = new Map<string, { revision: number; value: string }>()
  const deleted = new Set<string>()
  const revisions = new Set<string>()
  let serial = 0
  let highest = 0
  const recoveries: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { child, port, revision, ms } = await start(config)
    recoveries.push(ms)
    highest = revision
    const client = openClient(port, certificates)
    await checkAll(client, acknowledged, deleted)
    const exited = new Promise((resolve) => child.once('exit', resolve))
    let writes = 0
    const goal = 300 + (round % 5) * 70
    const writer = async (lane: number) => {
      for (let i = 0; ; i++) {
        const name = `w${lane}-${i % 12}`
        const value = String(serial++)
        const path = '/api/v1/namespaces/default/configmaps'
        const answer = acknowledged.has(name)
          ? i % 7 === 0
            ? await client.call('DELETE', `${path}/${name}`)
            : await client.call('PATCH', `${path}/${name}`, { data: { value } })
          : await client.call('POST', path, configMap(name, { value }))
        note(name, value, answer)
        if (++writes === goal) child.kill('SIGKILL')
      }
    }
    const note = (
      name: string,
      value: string,
      { code, body }: { code: number; body: { kind: string; metadata: { resourceVersion?: string } } },
    ) => {
      assert.ok(code < 300, JSON.stringify(body))
      // Until the next acknowledged write, what an unacknowledged one did is unknown.
      if (body.kind === 'Status') {
        acknowledged.delete(name)
        deleted.add(name)
        return
      }
      const version = body.metadata.resourceVersion!
      assert.ok(!revisions.has(version), `resourceVersion ${version} was given twice`)
      revisions.add(version)
      acknowledged.set(name, { revision: Number(version), value })
      deleted.delete(name)
    }
    const broken = await Promise.allSettled(Array.from({ length: 8 }, (_, lane) => writer(lane)))
    for (const result of broken)
      if (result.status === 'rejected' && result.reason instanceof assert.AssertionError) throw result.reason
    await exited
    children.delete(child)
    client.close()
    // The lanes stop in the middle of a write: what it did is read back.
    await settle(config, certificates, acknowledged, deleted, revisions)
  }
  recoveries.sort((a, b) => a - b)
  const [median, slowest] = [recoveries[recoveries.length >> 1]!, recoveries.at(-1)!].map((ms) => ms.toFixed(0))
  console.log(
    `${rounds} kills up to revision ${highest}: up again after ${median} ms in the median, ${slowest} ms at most`,
  )
})

async function checkAll(
  client: ReturnType<typeof openClient>,
  acknowledged: ReadonlyMap<string, { revision: number; value: string }>,
  deleted: ReadonlySet<string>,
): Promise<void> {
  const { body } = await client.call('GET', '/api/v1/namespaces/default/configmaps')
  const stored = new Map<string, { metadata: { resourceVersion: string }; data: { value: string } }>(
    body.items.map((item: { metadata: { name: string } }) => [item.metadata.name, item]),
  )
  for (const [name, { revision, value }] of acknowledged) {
    const item = stored.get(name)
    assert.ok(item, `${name} was acknowledged and is lost`)
    assert.deepEqual([Number(item.metadata.resourceVersion), item.data.value], [revision, value], name)
  }
  for (const name of deleted) assert.ok(!stored.has(name), `${name} was deleted and is back`)
}

/** Every acknowledged write must be there or have been replaced by a later, unacknowledged one; the state found is the new truth. */
async function settle(
  config: string,
  certificates: Awaited<ReturnType<typeof makeCertificates>>,
  acknowledged: Map<string, { revision: number; value: string }>,
  deleted: Set<string>,
  revisions: Set<string>,
): Promise<void> {
  const { child, port, revision } = await start(config)
  const client = openClient(port, certificates)
  const { body } = await client.call('GET', '/api/v1/namespaces/default/configmaps')
  const highest = Math.max(0, ...[...revisions].map(Number))
  assert.ok(revision >= highest, `revision ${revision} after the restart is below ${highest}, which was acknowledged`)
  const stored = new Map<string, { metadata: { resourceVersion: string }; data: { value: string } }>(
    body.items.map((item: { metadata: { name: string } }) => [item.metadata.name, item]),
  )
  let unknown = 0
  for (const [name, { revision: known }] of acknowledged) {
    const item = stored.get(name)
    if (item === undefined) unknown++
    else assert.ok(Number(item.metadata.resourceVersion) >= known, `${name} went back from ${known}`)
    if (item !== undefined && Number(item.metadata.resourceVersion) > known) unknown++
  }
  for (const name of deleted) if (stored.has(name)) unknown++
  assert.ok(unknown <= 8, `${unknown} objects differ, but only 8 writes were under way`)
  acknowledged.clear()
  deleted.clear()
  for (const [name, item] of stored)
    acknowledged.set(name, { revision: Number(item.metadata.resourceVersion), value: item.data.value })
  for (const { revision } of acknowledged.values()) revisions.add(String(revision))
  client.close()
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  children.delete(child)
}

test('a watch continues over a restart', async () => {
  const dataDir = join(folder, 'restart')
  const first = await startTestServer({ dataDir })
  const path = '/api/v1/namespaces/default/configmaps'
  const { body } = await first.client.call('POST', path, configMap('a'))
  await first.client.call('PATCH', `${path}/a`, { data: { n: '1' } })
  await first.client.call('DELETE', `${path}/a`)
  await first[Symbol.asyncDispose]()
  await using second = await startTestServer({ dataDir })
  const watch = await second.client.watch(`${path}?watch=true&resourceVersion=${body.metadata.resourceVersion}`)
  assert.equal((await watch.next()).type, 'MODIFIED')
  assert.equal((await watch.next()).type, 'DELETED')
  watch.close()
  await assert.rejects(startTestServer({ dataDir }), /cannot open the store .*: database is locked/)
})

test('states that were replaced before a restart are still listed and watched, until the history is full', async () => {
  const dataDir = join(folder, 'replaced')
  const first = await startTestServer({ dataDir, historyEvents: 40 })
  const path = '/api/v1/namespaces/default/configmaps'
  const labelled = { metadata: { name: 'a', labels: { seen: 'yes' } }, data: { n: '0' } }
  const { body } = await first.client.call('POST', path, labelled)
  await first.client.call('PATCH', `${path}/a`, { metadata: { labels: { seen: null } }, data: { n: '1' } })
  await first[Symbol.asyncDispose]()
  await using second = await startTestServer({ dataDir, historyEvents: 40 })
  const { resourceVersion } = body.metadata
  const exact = `${path}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`
  const before = await second.client.call('GET', exact)
  assert.deepEqual(before.body.items.map((item: { data: object }) => item.data).at(0), { n: '0' })
  const watch = await second.client.watch(`${path}?watch=true&labelSelector=seen&resourceVersion=${resourceVersion}`)
  const left = await watch.next()
  assert.equal(left.type, 'DELETED')
  assert.deepEqual(left.object.data, { n: '0' })
  watch.close()
  for (let i = 0; i < 60; i++) await second.client.call('PATCH', `${path}/a`, { data: { n: `later ${i}` } })
  assert.equal((await second.client.call('GET', exact)).code, 410)
})
