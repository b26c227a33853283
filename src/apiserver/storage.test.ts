import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkStore, renderKubeconfig, storePath } from './index.ts'
import { configMap, makeCertificates, openClient, startTestServer, testOptions } from './server.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumb-storage-'))
const children = new Set<ChildProcess>()
const path = '/api/v1/namespaces/default/configmaps'
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Runs `plumb` with these words. */
function plumb(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const main = fileURLToPath(new URL('../cli/start.js', import.meta.url))
  const { KUBECONFIG: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...words], { env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

test('a backup of a server that is written to is whole; restored, revisions go on far beyond it', async () => {
  const dataDir = join(folder, 'running')
  const file = join(folder, 'backup.sqlite')
  const first = await startTestServer({ dataDir })
  const { authority, admin } = first.certificates
  const server = `https://127.0.0.1:${first.client.port}`
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, renderKubeconfig({ server, clusterCa: authority.cert, client: admin }), { mode: 0o600 })
  for (let i = 0; i < 300; i++) await first.client.call('POST', path, configMap(`before-${i}`, { n: 'x'.repeat(2000) }))
  let writing = true
  const storm = (async () => {
    let count = 0
    for (; writing; count++) await first.client.call('POST', path, configMap(`during-${count}`))
    return count
  })()
  const made = await plumb('apiserver', 'backup', file, '--kubeconfig', kubeconfig)
  writing = false
  const during = await storm
  assert.equal(made.code, 0, made.err)
  console.log(`${made.err.trim()}; ${during} writes meanwhile`)
  assert.match((await plumb('apiserver', 'backup', file, '--kubeconfig', kubeconfig)).err, /exists already/)
  assert.match((await plumb('apiserver', 'restore', file, '--data-dir', dataDir, '--replace')).err, /another process/)
  const latest = first.server.revision
  await first[Symbol.asyncDispose]()

  assert.match((await plumb('apiserver', 'restore', file, '--data-dir', dataDir)).err, /exists already; --replace/)
  const restored = await plumb('apiserver', 'restore', file, '--data-dir', dataDir, '--replace')
  assert.equal(restored.code, 0, restored.err)
  await using second = await startTestServer({ dataDir })
  const list = await second.client.call('GET', path)
  const names = list.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)
  for (let i = 0; i < 300; i++) assert.ok(names.includes(`before-${i}`))
  assert.ok(Number(list.body.metadata.resourceVersion) > latest + 500_000_000, 'no revision is used twice')
  const watch = await second.client.watch(`${path}?watch=true&resourceVersion=${latest}`)
  assert.equal((await watch.next()).object.code, 410, 'who watched must list again')
  const next = await second.client.call('PATCH', `${path}/before-0`, { data: { n: '1' } })
  assert.equal(Number(next.body.metadata.resourceVersion), Number(list.body.metadata.resourceVersion) + 1)
})

test('nobody but an administrator gets a backup', async () => {
  await using context = await startTestServer()
  const answer = await context.client.call('GET', '/backup', undefined, { 'impersonate-user': 'jane' })
  assert.equal(answer.code, 403)
  assert.match(answer.body.message, /User "jane" cannot get path "\/backup"/)
  const own = await context.client.call('GET', '/backup')
  assert.deepEqual([own.code, own.text.slice(0, 15)], [200, 'SQLite format 3'])
})

/** A stopped server's store with a few objects, every byte of it in the one file. */
async function stoppedStore(name: string): Promise<string> {
  const dataDir = join(folder, name)
  const context = await startTestServer({ dataDir })
  for (let i = 0; i < 50; i++)
    await context.client.call('POST', path, configMap(`c-${i}`, { mark: `-marker-${i}-`, more: 'y'.repeat(500) }))
  await context[Symbol.asyncDispose]()
  return dataDir
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes, 0, bytes.length, at)
  closeSync(fd)
}

test('one flipped letter is found: the server does not start, check names the object, a backup helps', async () => {
  const dataDir = await stoppedStore('flipped')
  const file = join(folder, 'flipped.backup')
  assert.equal((await plumb('apiserver', 'backup', file, '--data-dir', dataDir)).code, 0)
  assert.equal((await plumb('apiserver', 'check', dataDir)).code, 0)
  const at = readFileSync(storePath(dataDir)).indexOf('-marker-7-')
  overwrite(storePath(dataDir), at, Buffer.from('-marker-8-'))
  await assert.rejects(
    startTestServer({ dataDir }),
    /the store .* is damaged: the checksum of \/configmaps default\/c-7 at revision \d+ is wrong; run plumb apiserver check/,
  )
  const check = await plumb('apiserver', 'check', dataDir)
  assert.equal(check.code, 1)
  assert.match(check.out, /^\/configmaps default\/c-7 at revision \d+: the checksum is wrong\n$/)
  assert.match(
    (await plumb('apiserver', 'restore', storePath(dataDir), '--data-dir', join(folder, 'no'))).err,
    /damaged/,
  )
  const began = performance.now()
  assert.equal((await plumb('apiserver', 'restore', file, '--data-dir', dataDir, '--replace')).code, 0)
  await using context = await startTestServer({ dataDir })
  console.log(`restored and up after ${(performance.now() - began).toFixed(0)} ms`)
  assert.equal((await context.client.call('GET', `${path}/c-7`)).body.data.mark, '-marker-7-')
})

test('pages of zeros, a cut file and a file that is none are told apart from a store', async () => {
  const dataDir = await stoppedStore('pages')
  const size = readFileSync(storePath(dataDir)).length
  for (let at = 4096 * 3; at < size; at += 4096 * 5) overwrite(storePath(dataDir), at, Buffer.alloc(4096))
  assert.ok(checkStore(storePath(dataDir)).damages.length > 0)
  await assert.rejects(startTestServer({ dataDir }), /(damaged|malformed).*plumb apiserver check/s)
  const cut = await stoppedStore('cut')
  writeFileSync(storePath(cut), readFileSync(storePath(cut)).subarray(0, 4096 * 4 + 100))
  assert.ok(checkStore(storePath(cut)).damages.length > 0)
  await assert.rejects(startTestServer({ dataDir: cut }), /(damaged|malformed).*plumb apiserver check/s)
  writeFileSync(storePath(cut), 'this is a letter to my aunt, and not a database of anything at all')
  await assert.rejects(startTestServer({ dataDir: cut }), /file is not a database; run plumb apiserver check/)
})

/** A folder with a disk of its own, of a few megabytes, in a mount namespace that lives as long as the holder. */
async function smallDisk(place: string, megabytes: number): Promise<ChildProcess> {
  mkdirSync(place)
  const script = 'mount -t tmpfs -o size=$2m small "$1" && echo ready && read line'
  const holder = spawn('unshare', ['--mount', 'sh', '-c', script, 'disk', place, String(megabytes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.add(holder)
  await new Promise((resolve) => holder.stdout.once('data', resolve))
  return holder
}

function startInside(holder: ChildProcess, config: string): Promise<{ child: ChildProcess; port: number }> {
  const fixture = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url))
  const words = [`--mount=/proc/${holder.pid}/ns/mnt`, process.execPath, fixture, config]
  const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended: ${code}`)))
    child.stdout.once('data', (chunk: Buffer) => resolve({ child, ...JSON.parse(chunk.toString()) }))
  })
}

test('a full disk: writes are refused in clear words, reads go on, nothing acknowledged is lost, and room lets writes go on', async () => {
  const disk = join(folder, 'disk')
  const holder = await smallDisk(disk, 4)
  const inside = (...words: string[]) =>
    new Promise((resolve) => execFile('nsenter', [`--mount=/proc/${holder.pid}/ns/mnt`, ...words], resolve))
  await inside('dd', 'if=/dev/zero', `of=${disk}/ballast`, 'bs=1M', 'count=2')
  const certificates = await makeCertificates()
  const config = join(folder, 'disk.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { dataDir: join(disk, 'data') })), { mode: 0o600 })
  const { child, port } = await startInside(holder, config)
  const client = openClient(port, certificates)
  const acknowledged: string[] = []
  const watch = await client.watch(`${path}?watch=true&resourceVersion=0`)
  let refusal: Awaited<ReturnType<typeof client.call>> | undefined
  for (let i = 0; i < 500 && refusal === undefined; i++) {
    const answer = await client.call('POST', path, configMap(`big-${i}`, { text: 'z'.repeat(50_000) }))
    if (answer.code === 201) acknowledged.push(`big-${i}`)
    else refusal = answer
  }
  assert.equal(refusal?.code, 500)
  assert.equal(refusal.body.reason, 'InternalError')
  assert.match(
    refusal.body.message,
    /cannot write to the store .* has no room; reads go on.*nothing of this request was stored/,
  )
  const stored = async (from: typeof client) =>
    (await from.call('GET', path)).body.items
      .map((item: { metadata: { name: string } }) => item.metadata.name)
      .filter((name: string) => name.startsWith('big-'))
      .sort()
  assert.deepEqual(await stored(client), [...acknowledged].sort(), 'reads go on, and show what was acknowledged')
  // Many at once fail alike, and none of them leaves a trace.
  const more = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      client.call('POST', path, configMap(`late-${i}`, { text: 'z'.repeat(50_000) })),
    ),
  )
  assert.ok(more.every(({ code }) => code === 500))
  await inside('rm', `${disk}/ballast`)
  const began = performance.now()
  const again = await client.call('POST', path, configMap('big-again', { text: 'z'.repeat(50_000) }))
  console.log(
    `${acknowledged.length} writes before the disk was full; writing again ${(performance.now() - began).toFixed(0)} ms after room came`,
  )
  assert.equal(again.code, 201, again.text)
  acknowledged.push('big-again')
  // The watch saw what was acknowledged and nothing else.
  const seen: string[] = []
  while (!seen.includes('big-again')) seen.push((await watch.next()).object.metadata.name)
  assert.deepEqual(
    seen.filter((name) => name.startsWith('big-')),
    acknowledged,
  )
  assert.ok(!seen.some((name) => name.startsWith('late-')))
  client.close()
  child.removeAllListeners('exit')
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  const second = await startInside(holder, config)
  const secondClient = openClient(second.port, certificates)
  assert.deepEqual(await stored(secondClient), [...acknowledged].sort())
  secondClient.close()
  second.child.removeAllListeners('exit')
  second.child.kill('SIGKILL')
  holder.stdin!.end()
  assert.ok(existsSync(disk))
})
