import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parsePrefix } from '../src/addr/index.ts'
import { startAgent } from '../src/agent/index.ts'
import { host, quietLog } from '../src/agent/rig.fixture.ts'
import { type Client, connect, type Resource } from '../src/client/index.ts'
import { spawnIn } from '../src/host/index.ts'
import type { KubeObject, Node } from '../src/objects/index.ts'
import type { Row } from './row.ts'
import { makeService, makeSlice } from './services.ts'

const endpointsEach = 10
const changes = 7
const metricsPort = 10249
const podPrefix = '10.128.0.0/9'
const sizes = (process.env.PLUMB_BENCH_SERVICES ?? '1000,5000,10000').split(',').map(Number)

/**
 * kube-proxy itself (`--proxy-mode=nftables`) beside Plumb's agent, one after another in one namespace against one embedded API server:
 * from the start of the process to the last rule, one endpoint's change from the write to the kernel, memory and CPU. `KUBE_PROXY` names
 * the program, else it is looked for in PATH.
 */
export async function* bench(): AsyncGenerator<Row> {
  const program = findProgram()
  if (program === undefined) {
    console.error('kube-proxy is not there: name it in KUBE_PROXY or put it into PATH')
    return
  }
  for (const count of sizes) {
    const namespace = host.createNamespace()
    namespace.network.setLink('lo', { up: true })
    const script = `const { measure } = await import(${JSON.stringify(import.meta.filename)})
      for await (const row of measure(${JSON.stringify(program)}, ${count})) console.log(JSON.stringify(row))
      process.exit(0)`
    const child = spawnIn(namespace, process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout! })) yield JSON.parse(line) as Row
    const [code] = (await ended) as [number]
    namespace.close()
    if (code !== 0) throw new Error(`the bench of ${count} Services ended with ${code}`)
  }
}

function findProgram(): string | undefined {
  const named = process.env.KUBE_PROXY
  if (named !== undefined) return existsSync(named) ? named : undefined
  const folders = (process.env.PATH ?? '').split(':')
  return folders.map((folder) => join(folder, 'kube-proxy')).find(existsSync)
}

interface Measured {
  /** From the start of the process to the last rule. */
  readonly startMs: number
  /** Of the process and of what it started, until then. */
  readonly cpuMs: number
  readonly residentMiB: number
  readonly changesMs: readonly number[]
  /** For each change. */
  readonly changeCpuMs: number
}

/** Runs in the namespace. */
export async function* measure(program: string, count: number): AsyncGenerator<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-bench-proxy-'))
  const { server, kubeconfig } = await startServer(folder)
  const client = connect({ kubeconfig, userAgent: 'bench' })
  try {
    await load(client, count)
    const script = `const { runAgent } = await import(${JSON.stringify(import.meta.filename)}); await runAgent(${JSON.stringify(kubeconfig)})`
    const own = await run(client, count, 'plumb-services', () => {
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      return { child, ready: once(child.stdout!, 'data') }
    })
    const config = join(folder, 'config.yaml')
    writeFileSync(config, proxyConfig(kubeconfig))
    const peer = await run(client, count, 'kube-proxy', () => {
      const child = spawn(program, ['--config', config], { stdio: ['ignore', 'ignore', 'ignore'] })
      return { child, ready: firstSync(child) }
    })
    yield* compare(`${count / 1000}k × ${endpointsEach}`, own, peer)
  } finally {
    client.close()
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

function* compare(name: string, own: Measured, peer: Measured): Generator<Row> {
  const middle = ({ changesMs }: Measured): number => changesMs.toSorted((a, b) => a - b)[changes >> 1]!
  for (const [metric, unit, of] of [
    ['start to last rule', 'ms', (one: Measured) => one.startMs],
    ['start to last rule, CPU', 'ms', (one: Measured) => one.cpuMs],
    ['resident then', 'MiB', (one: Measured) => one.residentMiB],
    ['one endpoint, write to kernel, p50', 'ms', middle],
    ['one endpoint, CPU', 'ms', (one: Measured) => one.changeCpuMs],
  ] as const) {
    const [value, other] = [of(own), of(peer)]
    yield { bench: 'kube-proxy', metric: `${metric}, ${name}, kube-proxy`, value: other, unit }
    yield { bench: 'kube-proxy', metric: `${metric}, ${name}`, value, unit, peer: 'kube-proxy', ratio: value / other }
  }
}

async function run(
  client: Client,
  count: number,
  table: string,
  start: () => { readonly child: ChildProcess; readonly ready: Promise<unknown> },
): Promise<Measured> {
  const begun = performance.now()
  const { child, ready } = start()
  try {
    await Promise.race([
      ready,
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`))),
    ])
    const startMs = performance.now() - begun
    const cpuMs = cpuOf(child)
    // What the first round left is given back, or collected, in calm.
    await pause(5000)
    const residentMiB = residentOf(child)
    const before = cpuOf(child)
    const changesMs = await changeEndpoints(client, count, table)
    return { startMs, cpuMs, residentMiB, changesMs, changeCpuMs: (cpuOf(child) - before) / changes }
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    execFileSync('nft', ['flush', 'ruleset'])
  }
}

/** One Service after another gets an endpoint, or loses one; from the write to the kernel's first message about the table. */
async function changeEndpoints(client: Client, count: number, table: string): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < changes; i++) {
    // kube-proxy's minSyncPeriod of a second, and what it takes away a second later, are not what is asked for.
    await pause(4000)
    const { promise: changed, resolve } = Promise.withResolvers<void>()
    const watch = host.own.network.watchTables((name) => name === `ip ${table}` && resolve(), resolve)
    // Others than the one before has changed: a patch that changes nothing is told to nobody.
    const turn = table === 'kube-proxy' ? i + changes : i
    const { metadata, endpoints } = makeSlice((turn * 7919) % count, endpointsEach + (i % 2 === 0 ? 1 : -1))
    const begun = performance.now()
    await Promise.all([changed, client.patch(slices, 'default', metadata.name, 'merge', { endpoints })])
    times.push(performance.now() - begun)
    watch.close()
  }
  return times
}

/** Runs in a process of its own. */
export async function runAgent(kubeconfig: string): Promise<void> {
  const client = connect({ kubeconfig, userAgent: 'plumb-agent' })
  const options = {
    servicePrefixes: [parsePrefix('10.96.0.0/16')],
    podPrefixes: [parsePrefix(podPrefix)],
    log: quietLog(),
  }
  const agent = await startAgent({ client, host, nodeName: 'node-1', options })
  await agent.ready
  console.log('ready')
}

async function startServer(folder: string): Promise<{ server: ChildProcess; kubeconfig: string }> {
  // Not in the agent's process, whose memory is measured.
  const { renderKubeconfig } = await import('../src/apiserver/index.ts')
  const { makeCertificates, testOptions } = await import('../src/apiserver/server.fixture.ts')
  const certificates = await makeCertificates()
  const config = join(folder, 'server.json')
  writeFileSync(config, JSON.stringify(testOptions(certificates, { dataDir: join(folder, 'data') })), { mode: 0o600 })
  const file = new URL('../src/apiserver/crash.fixture.ts', import.meta.url).pathname
  const server = spawn(process.execPath, [file, config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(server.stdout!, 'data')) as [Buffer]
  const { port } = JSON.parse(said.toString()) as { port: number }
  const kubeconfig = join(folder, 'kubeconfig')
  const { authority, admin } = certificates
  const text = renderKubeconfig({ server: `https://127.0.0.1:${port}`, clusterCa: authority.cert, client: admin })
  writeFileSync(kubeconfig, text, { mode: 0o600 })
  return { server, kubeconfig }
}

const services: Resource = { group: '', version: 'v1', plural: 'services', namespaced: true, kind: 'Service' }
const nodes: Resource = { group: '', version: 'v1', plural: 'nodes', namespaced: false, kind: 'Node' }
const slices: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  namespaced: true,
  kind: 'EndpointSlice',
}

async function load(client: Client, count: number): Promise<void> {
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
  }
  await client.create(nodes, node)
  const at = <T extends KubeObject>({ metadata, ...rest }: T) => {
    const { creationTimestamp: _, ...own } = metadata
    return { ...rest, metadata: { ...own, namespace: 'default' } } as unknown as T
  }
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const { spec, ...service } = makeService(i)
      // The first 256 addresses have one Service already: `kubernetes`.
      const address = `10.96.${(i >> 8) + 1}.${i & 255}`
      await client.create(services, at({ ...service, spec: { ...spec, clusterIP: address, clusterIPs: [address] } }))
      await client.create(slices, at(makeSlice(i, endpointsEach)))
    }
  }
  await Promise.all(Array.from({ length: 32 }, work))
}

function proxyConfig(kubeconfig: string): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: node-1
clientConnection: { kubeconfig: ${kubeconfig} }
clusterCIDR: ${podPrefix}
detectLocalMode: ClusterCIDR
metricsBindAddress: 127.0.0.1:${metricsPort}
healthzBindAddress: 127.0.0.1:10256
conntrack: { maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s }
`
}

/** When kube-proxy's metrics tell that it has written its rules; it gives up with the process. */
async function firstSync(child: ChildProcess): Promise<void> {
  const done = /^kubeproxy_sync_proxy_rules_last_timestamp_seconds\{ip_family="IPv4"\} [1-9]/m
  while (child.exitCode === null) {
    const text = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    )
    if (done.test(text)) return
    await pause(100)
  }
}

/** User and system time of a process and of children that it has waited for, in milliseconds; clock ticks are 10 ms. */
function cpuOf({ pid }: ChildProcess): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0)
}

function residentOf({ pid }: ChildProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
