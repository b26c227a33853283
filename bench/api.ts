import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Certificates, configMap, makeCertificates, testOptions } from '../src/apiserver/server.fixture.ts'
import type { Row } from './row.ts'

const clients = 16
const objects = 10_000
const watchers = 1_000
const path = '/api/v1/namespaces/default/configmaps'

interface Running {
  readonly child: ChildProcess
  readonly port: number
  readonly readyMs: number
}

/**
 * The embedded API server, a process of its own on a real file, over HTTPS: start, memory, durable writes, reads, lists and
 * fan-out. The client shares the machine's cores. etcd and kube-apiserver are not installed with the project, so there is no peer.
 */
export async function* bench(): AsyncGenerator<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-bench-api-'))
  const certificates = await makeCertificates()
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { dataDir: join(folder, 'data') })), { mode: 0o600 })
  const row = (metric: string, value: number, unit: string): Row => ({ bench: 'api', metric, value, unit })
  await stop(await start(config))
  let server = await start(config)
  try {
    yield row('start, empty', server.readyMs, 'ms')
    const empty = residentMb(server)
    yield row('resident when idle, empty', empty, 'MB')
    yield* definitions(folder, certificates, empty, row)
    const load = openLoad(server.port, certificates, clients)
    const created = await rate(objects, (i) => load('POST', path, configMap(`c${i}`, { data: 'x'.repeat(500) })))
    yield row(`durable creates, ${clients} clients`, created, '1/s')
    const patched = await rate(10_000, (i) => load('PATCH', `${path}/c${i % objects}`, { data: { n: String(i) } }))
    yield row(`durable merge patches, ${clients} clients`, patched, '1/s')
    yield row(`gets, ${clients} clients`, await rate(20_000, (i) => load('GET', `${path}/c${i % objects}`)), '1/s')
    const lists = 10
    const listed = await rate(lists, () => load('GET', path), 1)
    yield row(`list of ${objects} objects`, 1000 / listed, 'ms')
    yield row('listed objects', listed * objects, '1/s')
    yield* fanOut(server, certificates, load, row)
    await stop(server)
    server = await start(config)
    yield row(`start, ${objects} objects and full history`, server.readyMs, 'ms')
    // What reading the store left behind is given back once the server is up.
    await pause(3000)
    yield row(`resident when idle, ${objects} objects`, residentMb(server), 'MB')
  } finally {
    await stop(server)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A server of its own with many definitions of the size of Gateway API's: its start, and what one definition takes. */
async function* definitions(
  folder: string,
  certificates: Certificates,
  emptyMb: number,
  row: (metric: string, value: number, unit: string) => Row,
): AsyncGenerator<Row> {
  const count = 100
  const config = join(folder, 'definitions.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { dataDir: join(folder, 'definitions') })))
  const model = readFileSync(new URL('../crds/gateway-api/backendtlspolicies.json', import.meta.url), 'utf8')
  let server = await start(config)
  try {
    const load = openLoad(server.port, certificates, 4)
    const copy = (i: number) =>
      JSON.parse(model.replaceAll('gateway.networking.k8s.io', `group${i}.example.com`)) as object
    await rate(count, (i) => load('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', copy(i)), 4)
    load.close()
    await stop(server)
    server = await start(config)
    const bytes = Math.round(Buffer.byteLength(JSON.stringify(JSON.parse(model))) / 1000)
    yield row(`start, ${count} definitions of ${bytes} kB`, server.readyMs, 'ms')
    await pause(3000)
    yield row('resident for each of them', (residentMb(server) - emptyMb) / count, 'MB')
  } finally {
    await stop(server)
  }
}

// As the launcher does: without the cache each start strips the types again, which costs 100 ms and 30 MB.
async function start(config: string): Promise<Running> {
  const began = performance.now()
  const file = fileURLToPath(new URL('../src/apiserver/crash.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [file, config], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(config), 'compiled') },
  })
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer]
  const { port } = JSON.parse(chunk.toString()) as { port: number }
  return { child, port, readyMs: performance.now() - began }
}

async function stop({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function residentMb({ child }: Running): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024
}

interface Load {
  (method: string, path: string, body?: object): Promise<void>
  close(): void
}

function openLoad(port: number, { authority, admin }: Certificates, sockets: number): Load {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: sockets,
    ca: authority.cert,
    key: admin.key,
    cert: admin.cert,
  })
  const load = async (method: string, target: string, body?: object) => {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = bytes === undefined ? {} : { 'content-type': type, 'content-length': bytes.length }
    const outgoing = request({ host: '127.0.0.1', port, method, path: target, headers, agent })
    outgoing.end(bytes)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    if ((response.statusCode ?? 500) >= 300) throw new Error(`${method} ${target}: HTTP ${response.statusCode}`)
  }
  return Object.assign(load, { close: () => agent.destroy() })
}

/** Runs `work` `count` times in `lanes` lanes; how many were done per second. */
async function rate(count: number, work: (index: number) => Promise<void>, lanes = clients): Promise<number> {
  let next = 0
  const began = performance.now()
  const lane = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return (count / (performance.now() - began)) * 1000
}

/** From the request of a write until the event has reached each of the watchers. */
async function* fanOut(
  { port }: Running,
  { authority, admin }: Certificates,
  load: Load,
  row: (metric: string, value: number, unit: string) => Row,
): AsyncGenerator<Row> {
  const agent = new Agent({ ca: authority.cert, key: admin.key, cert: admin.cert })
  const namespace = '/api/v1/namespaces/kube-system/configmaps'
  await load('POST', namespace, configMap('fan'))
  const delays: number[] = []
  let sentAt = 0
  let arrived = 0
  let all: () => void = () => undefined
  const streams: IncomingMessage[] = []
  for (let i = 0; i < watchers; i++) {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path: `${namespace}?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`,
      agent,
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.on('data', () => {
      delays.push(performance.now() - sentAt)
      if (++arrived === watchers) all()
    })
    streams.push(response)
  }
  for (let round = 0; round < 25; round++) {
    // The first rounds warm up.
    if (round === 5) delays.length = 0
    arrived = 0
    const done = new Promise<void>((resolve) => {
      all = resolve
    })
    sentAt = performance.now()
    await Promise.all([load('PATCH', `${namespace}/fan`, { data: { n: String(round) } }), done])
  }
  for (const stream of streams) stream.destroy()
  delays.sort((a, b) => a - b)
  for (const p of [50, 99]) {
    yield row(`write to ${watchers} watchers, p${p}`, delays[Math.floor((delays.length * p) / 100)]!, 'ms')
  }
}
