import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CoreV1Api, KubeConfig, ListWatch, type V1ConfigMap, Watch } from '@kubernetes/client-node'
import { renderKubeconfig } from './index.ts'
import { configMap, makeCertificates, openClient, type TestClient, testOptions } from './server.fixture.ts'

// How many writes there are; the long tests set it.
const writes = Number(process.env.PLUMB_CHURN ?? 800)
const writers = 4
const collection = '/api/v1/namespaces/default/configmaps'
const folder = mkdtempSync(join(tmpdir(), 'plumb-churn-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function startServer(config: string): Promise<{ child: ChildProcess; port: number }> {
  const fixture = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [fixture, config], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended: ${code}`)))
    child.stdout.once('data', (chunk: Buffer) => resolve({ child, ...JSON.parse(chunk.toString()) }))
  })
}

/** Connections to the server that can be cut all at once; a server that is away refuses. */
class Wire {
  readonly server: Server
  readonly #sockets = new Set<Socket>()
  cuts = 0

  constructor(port: () => number) {
    this.server = createServer((socket) => {
      const far = connect(port(), '127.0.0.1')
      for (const [one, other] of [
        [socket, far],
        [far, socket],
      ] as const) {
        this.#sockets.add(one)
        one.on('error', () => undefined)
        one.once('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
  }

  cut(): void {
    if (this.#sockets.size > 0) this.cuts++
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

interface Seen {
  readonly phase: string
  readonly name: string
  readonly revision: number
}

/** An informer of the official client that notes what came over the wire, and starts again whenever it fails. */
function startInformer(kubeconfig: string) {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const api = config.makeApiClient(CoreV1Api)
  const real = new Watch(config)
  const wire: Seen[] = []
  const told: string[] = []
  let lists = 0
  let stopped = false
  const noting = {
    watch: (
      path: string,
      query: object,
      callback: (phase: string, object: V1ConfigMap, raw?: unknown) => void,
      done: (error: unknown) => void,
    ) =>
      real.watch(
        path,
        query as Record<string, string>,
        (phase: string, object: V1ConfigMap, raw: unknown) => {
          const { name, resourceVersion } = object.metadata ?? {}
          wire.push({ phase, name: name ?? '', revision: Number(resourceVersion) })
          callback(phase, object, raw)
        },
        done,
      ),
  }
  const list = () => {
    lists++
    return api.listNamespacedConfigMap({ namespace: 'default' })
  }
  const informer = new ListWatch<V1ConfigMap>(collection, noting as unknown as Watch, list, false)
  for (const verb of ['add', 'update', 'delete'] as const) {
    informer.on(verb, (object: V1ConfigMap) => {
      told.push(`${verb} ${object.metadata?.name} ${object.metadata?.resourceVersion}`)
    })
  }
  informer.on('error', () => {
    if (!stopped) setTimeout(() => void informer.start(), 20)
  })
  return {
    informer,
    wire,
    told,
    lists: () => lists,
    stop: () => {
      stopped = true
      return informer.stop()
    },
  }
}

/** Creates, changes and deletes objects of its own until told to stop; notes what was acknowledged, and what was in flight. */
async function write(lane: number, client: () => TestClient, goal: () => boolean, acknowledged: Map<number, string>) {
  let exists = new Set<string>()
  let unknown = 0
  for (let i = 0; !goal(); i++) {
    const name = `w${lane}-${i % 7}`
    const verb = !exists.has(name) ? 'POST' : i % 5 === 0 ? 'DELETE' : 'PATCH'
    try {
      const path = verb === 'POST' ? collection : `${collection}/${name}`
      const body = verb === 'DELETE' ? undefined : configMap(name, { i: String(i) })
      const answer = await client().call(verb, path, body)
      assert.ok(answer.code < 300, answer.text)
      if (verb === 'DELETE') exists.delete(name)
      else exists.add(name)
      if (verb !== 'DELETE') acknowledged.set(Number(answer.body.metadata.resourceVersion), name)
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      // The server was killed: whether the write was done is read back.
      unknown++
      const names = await readBack(client, lane)
      exists = new Set(names)
    }
  }
  return { unknown, exists }
}

async function readBack(client: () => TestClient, lane: number): Promise<string[]> {
  for (;;) {
    try {
      const { body } = await client().call('GET', collection)
      const names: string[] = body.items.map((item: { metadata: { name: string } }) => item.metadata.name)
      return names.filter((name) => name.startsWith(`w${lane}-`))
    } catch {
      await pause(20)
    }
  }
}

test('informers of the official client miss nothing and see nothing twice, through cut connections and a killed server', async () => {
  const certificates = await makeCertificates()
  const config = join(folder, 'config.json')
  const save = (port: number) => {
    const options = testOptions(certificates, {
      dataDir: join(folder, 'data'),
      listeners: [{ host: '127.0.0.1', port }],
    })
    writeFileSync(config, JSON.stringify(options), { mode: 0o600 })
  }
  save(0)
  let { child, port } = await startServer(config)
  save(port)
  const wire = new Wire(() => port)
  await new Promise<void>((resolve) => wire.server.listen(0, '127.0.0.1', resolve))
  const through = (wire.server.address() as { port: number }).port
  const kubeconfig = join(folder, 'kubeconfig')
  const text = renderKubeconfig({
    server: `https://127.0.0.1:${through}`,
    clusterCa: certificates.authority.cert,
    client: certificates.admin,
  })
  writeFileSync(kubeconfig, text, { mode: 0o600 })
  const informers = [startInformer(kubeconfig), startInformer(kubeconfig)]
  for (const { informer } of informers) await informer.start()
  const first = Math.max(...informers.map(({ informer }) => Number(informer.latestResourceVersion())))

  let client = openClient(port, certificates)
  const acknowledged = new Map<number, string>()
  const done = () => acknowledged.size >= writes
  const lanes = Array.from({ length: writers }, (_, lane) => write(lane, () => client, done, acknowledged))
  let killedAt = 0
  let recovery = 0
  while (!done()) {
    await pause(40 + Math.random() * 80)
    wire.cut()
    if (recovery === 0 && acknowledged.size > writes / 2) {
      child.removeAllListeners('exit')
      child.kill('SIGKILL')
      killedAt = performance.now()
      ;({ child, port } = await startServer(config))
      recovery = performance.now() - killedAt
      client.close()
      client = openClient(port, certificates)
    }
  }
  const results = await Promise.all(lanes)
  const unknown = results.reduce((sum, one) => sum + one.unknown, 0)
  const last = Number((await client.call('GET', collection)).body.metadata.resourceVersion)
  for (const { informer } of informers) {
    for (
      const end = Date.now() + 60_000;
      Number(informer.latestResourceVersion()) < Math.max(...acknowledged.keys());
    ) {
      assert.ok(Date.now() < end, 'the informer does not catch up')
      await pause(20)
    }
  }
  // A last deletion is not among the acknowledged revisions.
  await client.call('POST', collection, configMap('the-end'))
  for (const { informer } of informers) while (informer.get('the-end', 'default') === undefined) await pause(20)

  for (const one of informers)
    check(
      one,
      acknowledged,
      first,
      results.flatMap(({ exists }) => [...exists]),
    )
  const events = informers.map(({ wire: seen }) => seen.length).join(' and ')
  console.log(
    `${acknowledged.size} creates and changes up to revision ${last}, ${wire.cuts} cuts, one kill (up again after ${recovery.toFixed(0)} ms, ${unknown} writes in flight): ${events} events`,
  )
  await Promise.all(informers.map((one) => one.stop()))
  client.close()
  wire.cut()
  wire.server.close()
  child.removeAllListeners('exit')
  child.kill('SIGKILL')
})

function check(
  { informer, wire, told, lists }: ReturnType<typeof startInformer>,
  acknowledged: ReadonlyMap<number, string>,
  first: number,
  exists: readonly string[],
): void {
  assert.equal(lists(), 1, 'it came back to where it was each time, without listing again')
  const revisions = wire
    .filter(({ phase }) => phase !== 'BOOKMARK' && phase !== 'ERROR')
    .map(({ revision }) => revision)
  for (let i = 1; i < revisions.length; i++)
    assert.ok(revisions[i]! > revisions[i - 1]!, `revision ${revisions[i]} after ${revisions[i - 1]}`)
  assert.deepEqual(
    wire.filter(({ phase }) => phase === 'ERROR'),
    [],
  )
  const seen = new Map(wire.map(({ revision, name }) => [revision, name]))
  for (const [revision, name] of acknowledged)
    if (revision > first) assert.equal(seen.get(revision), name, `revision ${revision} of ${name} was missed`)
  assert.equal(new Set(told).size, told.length, 'a callback came twice')
  // Each object is added before it changes, and deleted before it is added again.
  const present = new Set<string>()
  for (const { phase, name } of wire) {
    assert.equal(present.has(name), phase !== 'ADDED', `${phase} of ${name}`)
    if (phase === 'DELETED') present.delete(name)
    else present.add(name)
  }
  const cached = informer
    .list('default')
    .map(({ metadata }) => metadata?.name ?? '')
    .filter((name) => name.startsWith('w'))
  assert.deepEqual(cached.sort(), [...exists].sort())
}
