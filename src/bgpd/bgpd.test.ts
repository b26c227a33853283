import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { askTcp, Objects, quietLog, serveTcp } from '../agent/rig.fixture.ts'
import type { BGPSession } from '../bgp/index.ts'
import type { Client, Resource } from '../client/index.ts'
import { ChangeFeed, keyOf, LiveSnapshot } from '../cluster/index.ts'
import { type Namespace, openHost, spawnIn } from '../host/index.ts'
import type { EndpointSlice, KubeObject, Node, Service, ServiceBGPStatus } from '../objects/index.ts'
import { BgpModule } from './index.ts'
import { BirdProcess } from './process.ts'
import { serviceBGPStatuses } from './service-status.ts'

const host = openHost()
const virtual = parseAddress('192.0.2.80')
const folder = mkdtempSync(join(tmpdir(), 'plumb-bgpd-'))
const open: Namespace[] = []
const objects = new Objects()
const feed = new ChangeFeed()
const snapshot = new LiveSnapshot(feed)

interface Machine {
  readonly name: string
  readonly namespace: Namespace
  readonly module: BgpModule
  sessions: readonly BGPSession[]
}
let router: Namespace
let routerBird: ChildProcess
const nodes: Machine[] = []
const servers: { close(): void }[] = []

function put(collection: 'services' | 'slices' | 'nodes', object: KubeObject): void {
  snapshot.put(collection, keyOf(object), object as never)
}

async function tell(): Promise<void> {
  const changes = feed.take()
  for (const { module } of nodes) module.update(snapshot, undefined, changes)
  await Promise.all(nodes.map(({ module }) => module.settled()))
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<number> {
  const start = performance.now()
  while (!(await condition())) {
    assert.ok(performance.now() - start < 30_000, `not within 30 s: ${what}; ${routes()}; ${log.lines.join('\n')}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return performance.now() - start
}

/** The nodes over which the router's kernel sends packets for the virtual address. */
function routes(): string {
  const text = router.run(() => spawnSync('ip', ['route', 'get', 'fibmatch', virtual], { encoding: 'utf8' })).stdout
  return [...text.matchAll(/via 172\.30\.0\.1(\d)/g)]
    .map(([, node]) => `node-${node}`)
    .sort()
    .join()
}

/** What the ServiceBGPStatus objects say. */
const told = () =>
  [...objects.client.informer<ServiceBGPStatus>(serviceBGPStatuses).values()]
    .map(({ status }) => status!)
    .sort((a, b) => (a.node < b.node ? -1 : 1))

const log = quietLog()

function startModule(machine: Omit<Machine, 'module' | 'sessions'>): BgpModule {
  const patch = async (_: Resource, _namespace: undefined, _name: string, _type: string, body: KubeObject) => {
    if (body.kind === 'ServiceBGPStatus') {
      objects.put(body)
      return body
    }
    const node = nodes.find(({ name }) => name === machine.name)
    if (node !== undefined) node.sessions = (body as { status?: { sessions?: BGPSession[] } }).status?.sessions ?? []
    return body
  }
  const client = Object.assign(objects.client, { patch }) as unknown as Client
  const directory = join(folder, machine.name)
  return new BgpModule({ client, namespace: machine.namespace, nodeName: machine.name, directory, log, pollMs: 20 })
}

before(async () => {
  const create = (): Namespace => {
    const namespace = host.createNamespace()
    open.push(namespace)
    namespace.network.setLink('lo', { up: true })
    return namespace
  }
  router = create()
  router.network.addBridge('switch')
  router.network.setLink('switch', { up: true })
  router.network.addAddress('switch', parseAddress('172.30.0.1'), 24)
  router.network.setSysctl('net.ipv4.fib_multipath_hash_policy', 1)
  for (const number of [1, 2]) {
    const namespace = create()
    const name = `node-${number}`
    router.network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
    router.network.setLink(name, { master: 'switch', up: true })
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', parseAddress(`172.30.0.1${number}`), 24)
    // What the Service proxy does elsewhere: connections to the address are answered here.
    namespace.network.addAddress('lo', virtual, 32)
    servers.push(serveTcp({ name, namespace, addresses: { 4: virtual, 6: virtual } }, 4, 80))
    const machine = { name, namespace, sessions: [] }
    nodes.push({ ...machine, module: startModule(machine) })
    const addresses = [{ type: 'InternalIP', address: `172.30.0.1${number}` }]
    put('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { addresses } } as unknown as Node)
  }
  const config = join(folder, 'router.conf')
  writeFileSync(
    config,
    `log stderr all; router id 172.30.0.1; protocol device { }
     protocol kernel { merge paths on; ipv4 { import none; export all; }; }
     protocol bfd liveness { interface "switch" { min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }; }
     template bgp node { local as 64513; bfd on; password "between us"; ipv4 { import all; export none; }; direct; connect delay time 1; error wait time 1, 2; }
     protocol bgp node1 from node { neighbor 172.30.0.11 as 64512; }
     protocol bgp node2 from node { neighbor 172.30.0.12 as 64512; }`,
  )
  routerBird = spawnIn(router, 'bird', ['-f', '-c', config, '-s', join(folder, 'router.ctl')], { stdio: 'ignore' })
  await tell()
})

after(async () => {
  await Promise.all(nodes.map(({ module }) => module.close()))
  for (const server of servers) server.close()
  routerBird.kill()
  for (const namespace of open) namespace.close()
  rmSync(folder, { recursive: true, force: true })
})

let generation = 0
const plumb = (kind: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: 'plumb.network/v1alpha1', kind, metadata: { name, generation: ++generation }, spec }) as KubeObject

const service = (spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  status: { loadBalancer: { ingress: [{ ip: virtual }] } },
})
const slice = (...nodeNames: string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: nodeNames.map((nodeName, i) => ({ addresses: [`10.0.0.${i}`], nodeName, conditions: { ready: true } })),
})

test('without a peer there is no BIRD', () => {
  assert.deepEqual(
    nodes.map(({ module }) => module.pid),
    [undefined, undefined],
  )
})

test('addresses are told by every node, over sessions with MD5 and BFD; the router spreads connections', async () => {
  objects.put(plumb('IPAddressPool', 'public', { addresses: ['192.0.2.0/24'] }))
  objects.put(plumb('BFDProfile', 'fast', { receiveInterval: 50, transmitInterval: 50 }))
  objects.put(
    plumb('BGPPeer', 'router', {
      ...{ myASN: 64512, peerASN: 64513, peerAddress: '172.30.0.1', password: 'between us' },
      ...{ bfdProfile: 'fast', connectTime: '1s' },
    }),
  )
  objects.put(plumb('BGPAdvertisement', 'all', {}))
  put('services', service())
  put('slices', slice('node-2'))
  await tell()
  await until('both nodes are next hops', () => routes() === 'node-1,node-2')
  const answers = new Set<string>()
  for (let i = 0; i < 40; i++) answers.add(await askTcp(router, virtual, 80))
  assert.deepEqual([...answers].sort(), ['node-1 172.30.0.1', 'node-2 172.30.0.1'])
  await until('the status tells it', () =>
    nodes.every(({ sessions }) => sessions[0]?.state === 'Established' && sessions[0].advertised === 1),
  )
  const expected = { serviceName: 'web', serviceNamespace: 'shop', peers: ['router'], prefixes: [`${virtual}/32`] }
  await until('the Service’s too', () => told().length === 2)
  assert.deepEqual(told(), [
    { node: 'node-1', ...expected },
    { node: 'node-2', ...expected },
  ])
  assert.match(nodes[0]!.module.metrics, /metallb_bgp_session_up\{peer="router"\} 1/)
})

test('with policy Local only nodes with endpoints tell it; without any nobody does', async () => {
  put('services', service({ externalTrafficPolicy: 'Local' }))
  await tell()
  await until('only node-2', () => routes() === 'node-2')
  await until(
    'node-1 took its word back',
    () =>
      told()
        .map(({ node }) => node)
        .join() === 'node-2',
  )
  assert.equal(await askTcp(router, virtual, 80), 'node-2 172.30.0.1')
  put('slices', slice())
  await tell()
  await until('nobody', () => routes() === '')
  put('services', service())
  put('slices', slice('node-1', 'node-2'))
  await tell()
  await until('both again', () => routes() === 'node-1,node-2')
})

test('a new configuration leaves sessions that stay alone, also when another agent finds BIRD running', async () => {
  const since = () => nodes.map(({ sessions }) => sessions[0]?.lastTransitionTime)
  const before = since()
  const [first, second] = nodes
  const pids = nodes.map(({ module }) => module.pid)
  objects.put(plumb('BGPAdvertisement', 'all', { aggregationLength: 28, communities: ['no-export'] }))
  await tell()
  const aggregates = () =>
    router.run(() => execFileSync('ip', ['route'], { encoding: 'utf8' })).includes('192.0.2.80/28')
  await until('the aggregate is told', aggregates)
  const directory = join(folder, first!.name, 'bird')
  const found = new BirdProcess(first!.namespace, directory, log, () => assert.fail('it ended'))
  await found.configure(`${readFileSync(join(directory, 'bird.conf'), 'utf8')}# another\n`)
  assert.deepEqual(
    (await found.sessions()).map(({ name, state }) => [name, state]),
    [['router', 'Established']],
  )
  assert.equal(found.pid, undefined, 'it has started none')
  assert.deepEqual([first!.module.pid, second!.module.pid], pids)
  assert.deepEqual(since(), before, 'no session went down')
})

test('BIRD killed: the router sends everything to the other node within moments, and both come back', async () => {
  await until('both', () => routes() === 'node-1,node-2')
  process.kill(nodes[1]!.module.pid!, 'SIGKILL')
  const gone = await until('node-1 alone', () => routes() === 'node-1')
  console.log(`the route over the dead speaker was gone after ${Math.round(gone)} ms`)
  for (let i = 0; i < 10; i++) assert.equal(await askTcp(router, virtual, 80), 'node-1 172.30.0.1')
  const back = await until('both again', () => routes() === 'node-1,node-2')
  console.log(`and back ${Math.round(back)} ms later`)
})

test('what BIRD or the machine cannot do is a finding, and what was told stays told', async () => {
  objects.put(
    plumb('BGPPeer', 'broken', {
      myASN: 64512,
      peerASN: 64512,
      peerAddress: '172.30.0.1',
      peerPort: 1790,
      bfdProfile: 'none',
    }),
  )
  await tell()
  assert.deepEqual(
    nodes[1]!.module.findings.map(({ code, object, field }) => `${code} ${object} ${field}`),
    ['NoBFDProfile bgppeer/broken spec.bfdProfile'],
  )
  assert.equal(routes(), 'node-1,node-2')
  objects.delete('BGPPeer', 'broken')
  objects.delete('BGPPeer', 'router')
  await tell()
  await until('withdrawn', () => routes() === '')
  await until('no node says that it announces it', () => told().length === 0)
  await until('BIRD ended', () => nodes[1]!.module.pid === undefined)
})
