import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { type Address, parseAddress, parsePrefix } from '../src/addr/index.ts'
import { startAgent } from '../src/agent/index.ts'
import { buildRig, host, nodeObject, Objects, quietLog, type Rig, serveTcp } from '../src/agent/rig.fixture.ts'
import { LiveSnapshot } from '../src/cluster/index.ts'
import { type Namespace, spawnIn } from '../src/host/index.ts'
import { encodeTransaction } from '../src/nft/index.ts'
import { NodePlan, nothing } from '../src/nodeplan/index.ts'
import type { EndpointSlice, Service } from '../src/objects/index.ts'
import type { Row } from './row.ts'

const endpointsEach = 10
/** Services, endpoints of each, who measured it, and milliseconds there. */
const published = [
  [44_000, 3, 'chain per endpoint, 44k × 1 (published)', 1_004_000],
  [5000, 50, 'chain per endpoint, 5k × 50 (published)', 795_000],
] as const
/** The chain-per-endpoint layout grows with the square of this. */
const peerMost = 2000
const servicePrefixes = [parsePrefix('10.96.0.0/12')]
const podPrefixes = [parsePrefix('10.128.0.0/9')]

/**
 * What Services cost a node: a full sync by stages, one endpoint's change from the event to the kernel, a connection
 * through a VIP; beside them the layout with a chain per Service and per endpoint, loaded by `nft -f` in the same run.
 */
export async function bench(): Promise<Row[]> {
  const rows: Row[] = []
  const row = (metric: string, value: number, unit: string, peer?: string, ratio?: number): void => {
    rows.push({
      bench: 'services',
      metric,
      value,
      unit,
      ...(peer === undefined ? {} : { peer }),
      ...(ratio === undefined ? {} : { ratio }),
    })
  }
  await fullSync(500)
  for (const count of [1000, peerMost, 10_000, 30_000]) {
    const name = `${count / 1000}k × ${endpointsEach}`
    const full = await fullSync(count)
    for (const [stage, ms] of Object.entries(full.stages)) row(`full sync ${name}, ${stage}`, ms, 'ms')
    if (count <= peerMost) {
      const peer = loadText(chainPerEndpoint(count))
      const own = loadText(full.listing)
      row(`chain per endpoint ${name}, nft -f`, peer, 'ms')
      row(`full sync ${name}, shared maps by nft -f too`, own, 'ms', 'chain per endpoint, nft -f', own / peer)
      row(`full sync ${name}, whole`, full.total, 'ms', 'chain per endpoint, nft -f', full.total / peer)
    } else row(`full sync ${name}, whole`, full.total, 'ms')
    if (count === peerMost) continue
    for (const [percentile, ms] of await oneChange(count)) row(`one endpoint of ${name}, ${percentile}`, ms, 'ms')
  }
  // Sizes at which others have published what a full sync takes them (kubernetes/kubernetes#139513 and #135639).
  for (const [count, endpoints, peer, peerMs] of published) {
    const full = await fullSync(count, endpoints)
    const name = `${count / 1000}k × ${endpoints}`
    for (const [stage, ms] of Object.entries(full.stages)) row(`full sync ${name}, ${stage}`, ms, 'ms')
    row(`full sync ${name}, whole`, full.total, 'ms', peer, full.total / peerMs)
  }
  for (const [percentile, ms] of await oneChange(44_000, 3)) row(`one endpoint of 44k × 3, ${percentile}`, ms, 'ms')
  row('agent at 44k × 3, resident', await residentMiB(44_000, 3), 'MiB')
  const small = await connectLatency(1)
  row('connect, direct, p50', small.direct, 'µs')
  row('connect through a VIP of 1, p50', small.through, 'µs', 'direct', small.through / small.direct)
  const { direct, through } = await connectLatency(44_000)
  row('connect through a VIP of 44k, p50', through, 'µs', 'direct', through / direct)
  const relative = through / direct / (small.through / small.direct)
  row('connect through a VIP, 44k against 1, each against direct', relative, '×', 'a VIP of 1', relative)
  const stream = await throughput(10_000)
  row('one connection’s throughput, direct', stream.direct, 'Gbit/s')
  row(
    'one connection’s throughput through a VIP of 10k',
    stream.through,
    'Gbit/s',
    'direct',
    stream.through / stream.direct,
  )
  return rows
}

async function fullSync(
  count: number,
  each = endpointsEach,
): Promise<{ stages: Record<string, number>; total: number; listing: string }> {
  const snapshot = new LiveSnapshot()
  for (let i = 0; i < count; i++) {
    snapshot.put('services', `ns/s${i}`, makeService(i))
    snapshot.put('slices', `ns/s${i}`, makeSlice(i, each))
  }
  const namespace = host.createNamespace()
  try {
    // The kernel loads its modules on first use, the socket opens.
    await namespace.network.commit(new NodePlan(planOptions).plan(new LiveSnapshot(), nothing).transaction)
    const plan = new NodePlan(planOptions)
    const begun = performance.now()
    const round = plan.plan(snapshot, nothing)
    const planned = performance.now()
    await namespace.network.commit(round.transaction)
    const total = performance.now() - begun
    const committed = performance.now() - planned
    const encoding = performance.now()
    encodeTransaction(round.transaction)
    const encodeMs = performance.now() - encoding
    const listing = count > peerMost ? '' : list(namespace)
    return {
      stages: {
        compile: round.compileMs,
        lower: round.loweringMs,
        encode: encodeMs,
        kernel: Math.max(0, committed - encodeMs),
      },
      total,
      listing,
    }
  } finally {
    namespace.close()
  }
}

const planOptions = { node: 'node-1', servicePrefixes, podPrefixes }

/** Adds and removes an endpoint of one Service after another; from the event at the informer to the kernel's answer. */
async function oneChange(count: number, each = endpointsEach): Promise<[string, number][]> {
  const namespace = host.createNamespace()
  const objects = makeObjects(count, each)
  const options = { servicePrefixes, podPrefixes, log: quietLog() }
  const agent = await startAgent({ client: objects.client, host, namespace, nodeName: 'node-1', options })
  try {
    await agent.ready
    await agent.settled()
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const service = (i * 7919) % count
      const begun = performance.now()
      objects.put(makeSlice(service, i % 2 === 0 ? each + 1 : each - 1))
      await agent.settled()
      times.push(performance.now() - begun)
    }
    times.sort((a, b) => a - b)
    return [
      ['event to kernel, p50', times[100]!],
      ['event to kernel, p99', times[198]!],
    ]
  } finally {
    await agent.stop()
    namespace.close()
  }
}

/** The resident memory of a process of its own with an agent that serves, its copies of the objects counted in. */
async function residentMiB(count: number, each: number): Promise<number> {
  const namespace = host.createNamespace()
  const script = `
    const { startAgent } = await import(${JSON.stringify(join(import.meta.dirname, '../src/agent/index.ts'))})
    const { residentAgent } = await import(${JSON.stringify(import.meta.filename)})
    console.log(await residentAgent(startAgent, ${JSON.stringify(namespace.path)}, ${count}, ${each}))
    process.exit(0)`
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the agent’s process: ${stderr}`)
    return Number(stdout) / 2 ** 20
  } finally {
    namespace.close()
  }
}

/** Runs in the process that is measured: bytes, some seconds after the first round. */
export async function residentAgent(
  start: typeof startAgent,
  path: string,
  count: number,
  each: number,
): Promise<number> {
  const options = { servicePrefixes, podPrefixes, log: quietLog() }
  const namespace = host.openNamespace(path)
  const agent = await start({ client: makeObjects(count, each).client, host, namespace, nodeName: 'node-1', options })
  await agent.ready
  await agent.settled()
  // The agent gives back what its first round left once nothing has happened for a second.
  await new Promise((resolve) => setTimeout(resolve, 4000))
  return process.memoryUsage.rss()
}

const vip = parseAddress('10.111.255.1')

/** A rig whose Service `vip` leads to its first backend, among others; with an agent that has put all of them there. */
async function withVip<T>(count: number, work: (rig: Rig) => Promise<T>): Promise<T> {
  const rig = buildRig()
  const objects = makeObjects(count)
  const [backend] = rig.backends
  objects.put(nodeObject('node-1', rig))
  const service: Service = { ...makeService(0), metadata: { name: 'vip', namespace: 'ns' }, spec: serviceSpec(vip) }
  objects.put(service)
  objects.put(sliceOf('vip', [backend.addresses[4]]))
  const options = { servicePrefixes, podPrefixes: [parsePrefix('10.0.0.0/8')], log: quietLog() }
  const agent = await startAgent({ client: objects.client, host, namespace: rig.node, nodeName: 'node-1', options })
  try {
    await agent.ready
    return await work(rig)
  } finally {
    await agent.stop()
    rig.close()
  }
}

function connectLatency(count: number): Promise<{ direct: number; through: number }> {
  return withVip(count, async (rig) => {
    const [backend] = rig.backends
    const server = serveTcp(backend, 4, 8080)
    try {
      const direct: number[] = []
      const through: number[] = []
      for (let i = 0; i < 3000; i++) {
        direct.push(await timeConnect(rig, backend.addresses[4], 8080))
        through.push(await timeConnect(rig, vip, 80))
      }
      const middle = (times: number[]): number => times.slice(500).sort((a, b) => a - b)[1250]! * 1000
      return { direct: middle(direct), through: middle(through) }
    } finally {
      server.close()
    }
  })
}

const streamBytes = 2 ** 30

/** Gbit/s of one connection from the backend to the client, each end a process of its own; the median of turns that alternate. */
function throughput(count: number): Promise<{ direct: number; through: number }> {
  return withVip(count, async (rig) => {
    const [backend] = rig.backends
    const send = `require('node:net').createServer((socket) => {
        const chunk = Buffer.alloc(1 << 20)
        let left = ${streamBytes} / chunk.length
        const pump = () => { while (left > 0) { left--; if (!socket.write(chunk)) return socket.once('drain', pump) } socket.end() }
        socket.on('error', () => {})
        pump()
      }).listen(8080, '${backend.addresses[4]}', () => console.log('up'))`
    const server = spawnIn(backend.namespace, process.execPath, ['-e', send], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(server.stdout!, 'data')
      const direct: number[] = []
      const through: number[] = []
      for (let turn = 0; turn < 9; turn++) {
        direct.push(await timeStream(rig, backend.addresses[4], 8080))
        through.push(await timeStream(rig, vip, 80))
      }
      const median = (times: number[]): number => times.sort((a, b) => a - b)[4]!
      const rate = (seconds: number): number => (streamBytes * 8) / seconds / 1e9
      return { direct: rate(median(direct)), through: rate(median(through)) }
    } finally {
      server.kill()
    }
  })
}

async function timeStream(rig: Rig, address: Address, port: number): Promise<number> {
  const receive = `const socket = require('node:net').connect({ host: '${address}', port: ${port}, onread: { buffer: Buffer.alloc(1 << 20), callback: () => true } })
    let begun
    socket.on('connect', () => { begun = performance.now() })
    socket.on('close', () => console.log((performance.now() - begun) / 1000))`
  const child = spawnIn(rig.client.namespace, process.execPath, ['-e', receive], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [text] = (await once(child.stdout!, 'data')) as [Buffer]
  return Number(text)
}

async function timeConnect(rig: Rig, address: Address, port: number): Promise<number> {
  const begun = performance.now()
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, address, port).fd })
  await once(socket, 'data')
  const took = performance.now() - begun
  socket.resetAndDestroy()
  return took
}

function makeObjects(count: number, each = endpointsEach): Objects {
  const objects = new Objects()
  for (let i = 0; i < count; i++) {
    objects.put(makeService(i))
    objects.put(makeSlice(i, each))
  }
  return objects
}

export function makeService(index: number): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${index}`, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: serviceSpec(vipOf(index)),
  }
}

function serviceSpec(address: string): Service['spec'] {
  return { clusterIP: address, clusterIPs: [address], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }
}

function vipOf(index: number): string {
  return `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
}

function endpointOf(index: number): string {
  return `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
}

export function makeSlice(index: number, count: number): EndpointSlice {
  return sliceOf(
    `s${index}`,
    Array.from({ length: count }, (_, i) => endpointOf(index * 11 + i)),
  )
}

function sliceOf(service: string, addresses: readonly string[]): EndpointSlice {
  const conditions = { ready: true, serving: true, terminating: false }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: service, namespace: 'ns', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: addresses.map((address, i) => ({ addresses: [address], nodeName: `node-${i + 2}`, conditions })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  }
}

/** The layout of kube-proxy's nftables mode: a chain per Service and per endpoint, and a number generator's own map per Service. */
function chainPerEndpoint(count: number): string {
  const lines = ['table ip peer {', ' chain mark-for-masquerade { meta mark set meta mark or 0x4000; }']
  const elements: string[] = []
  for (let i = 0; i < count; i++) {
    const chain = `service-${i}`
    const endpoints = Array.from({ length: endpointsEach }, (_, k) => endpointOf(i * 11 + k))
    for (const [k, endpoint] of endpoints.entries()) {
      lines.push(` chain endpoint-${i}-${k} {`, `  ip saddr ${endpoint} jump mark-for-masquerade`)
      lines.push(`  meta l4proto tcp dnat to ${endpoint}:8080`, ' }')
    }
    const map = endpoints.map((_, k) => `${k} : goto endpoint-${i}-${k}`).join(', ')
    lines.push(
      ` chain ${chain} {`,
      `  ip daddr ${vipOf(i)} tcp dport 80 ip saddr != 10.128.0.0/9 jump mark-for-masquerade`,
    )
    lines.push(`  numgen random mod ${endpointsEach} vmap { ${map} }`, ' }')
    elements.push(`${vipOf(i)} . tcp . 80 : goto ${chain}`)
  }
  lines.push(' map service-ips {', '  type ipv4_addr . inet_proto . inet_service : verdict')
  lines.push(`  elements = { ${elements.join(', ')} }`, ' }')
  lines.push(' chain nat-prerouting {', '  type nat hook prerouting priority -100;')
  lines.push('  ip daddr . meta l4proto . th dport vmap @service-ips', ' }', '}', '')
  return lines.join('\n')
}

/** Milliseconds that `nft -f` takes for the text in an empty namespace. */
function loadText(text: string): number {
  const namespace = host.createNamespace()
  try {
    const begun = performance.now()
    const { status, stderr } = nft(namespace, ['-f', '-'], text)
    if (status !== 0) throw new Error(`nft -f: ${stderr}`)
    return performance.now() - begun
  } finally {
    namespace.close()
  }
}

function list(namespace: Namespace): string {
  return nft(namespace, ['list', 'ruleset']).stdout
}

function nft(namespace: Namespace, args: readonly string[], input = '') {
  return namespace.run(() => spawnSync('nft', args, { input, encoding: 'utf8', maxBuffer: 1 << 30 }))
}
