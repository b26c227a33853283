import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { type Address, parseAddress } from '../../src/addr/index.ts'
import { whyNoFastPath } from '../../src/agent/fast-path-trial.ts'
import type { Agent } from '../../src/agent/index.ts'
import {
  buildRig,
  host,
  nodeObject,
  Objects,
  openUdp,
  quietLog,
  type Rig,
  type Station,
  serveTcp,
  serveUdp,
  serviceObject,
  sliceObject,
  startOnRig,
} from '../../src/agent/rig.fixture.ts'
import { type Connection, HostError } from '../../src/host/index.ts'
import type { EndpointSlice, Pod } from '../../src/objects/index.ts'
import { namespaceObject, policyObject } from '../../src/policies/cluster.fixture.ts'

const vips = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const nodePort = 30080
const ready = { ready: true, serving: true, terminating: false }
const ending = { ready: false, serving: true, terminating: true }
const log = quietLog()
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects
let agent: Agent

async function start(fastPath = true): Promise<void> {
  agent = await startOnRig(rig, objects, log, { policies: 'strict', fastPath, tableCheckMs: 200 })
  await agent.ready
  await agent.settled()
}

before(async () => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(namespaceObject('ns'))
  for (const station of [rig.client, ...rig.backends]) objects.put(podOf(station))
  for (const backend of rig.backends) {
    for (const family of [4, 6] as const)
      closing.push(serveTcp(backend, family, 8081, true), serveUdp(backend, family, 5353))
  }
  await start()
})
beforeEach(async () => {
  objects.delete('NetworkPolicy', 'ns/deny')
  await web([ready, undefined])
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

function podOf({ name, addresses }: Station): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', labels: { app: name } },
    spec: { nodeName: 'node-1', containers: [{ name: 'main' }] },
    status: { phase: 'Running', podIPs: [{ ip: addresses[4] }, { ip: addresses[6] }] },
  }
}

/** The Service `web` with the backends in these conditions: echo at TCP 80 and the node port, UDP 5000 and 53. */
async function web(
  conditions: readonly (typeof ready | undefined)[],
  annotations: Record<string, string> = {},
): Promise<void> {
  const made = serviceObject('web', [vips[4], vips[6]], {
    type: 'NodePort',
    ports: [
      { name: 'echo', port: 80, protocol: 'TCP', nodePort },
      { name: 'udp', port: 5000, protocol: 'UDP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  })
  objects.put({ ...made, metadata: { ...made.metadata, annotations } })
  for (const family of [4, 6] as const) {
    const slice = sliceObject('web', family, [])
    const endpoints = rig.backends.flatMap(({ addresses }, i) =>
      conditions[i] === undefined
        ? []
        : [{ addresses: [addresses[family]], nodeName: 'node-1', conditions: conditions[i] }],
    )
    const ports = [
      { name: 'echo', port: 8081, protocol: 'TCP' },
      { name: 'udp', port: 5353, protocol: 'UDP' },
      { name: 'dns', port: 5353, protocol: 'UDP' },
    ]
    objects.put({ ...slice, endpoints, ports } as EndpointSlice)
  }
  await agent.settled()
}

interface Echo {
  readonly socket: Socket
  readonly name: string
  readonly closed: Promise<string>
}

async function open(from: Station, address: Address, port: number): Promise<Echo> {
  const socket = new Socket({ fd: host.connectTcp(from.namespace, address, port).fd })
  const closed = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('close', () => resolve('closed'))
  })
  const [hello] = (await once(socket, 'data')) as [Buffer]
  closing.push({ close: () => socket.destroy() })
  return { socket, name: hello.toString().split(' ')[0] ?? '', closed }
}

async function talk({ socket }: Echo, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    socket.write(`line ${i}\n`)
    const [back] = (await once(socket, 'data')) as [Buffer]
    assert.equal(back.toString(), `line ${i}\n`)
  }
}

/** The node's entry of a connection to this port that is alive. */
function entry(destination: Address, port: number): Connection | undefined {
  return rig.node.network.connections().find(({ original, tcpState = 'ESTABLISHED' }) => {
    return original.destination === destination && original.destinationPort === port && tcpState === 'ESTABLISHED'
  })
}

async function longConnection(from: Station, address: Address, port: number): Promise<Echo> {
  for (const one of rig.node.network.connections()) rig.node.network.deleteConnection(one)
  const echo = await open(from, address, port)
  await talk(echo, 30)
  return echo
}

function nft(...args: string[]): string {
  const { status, stdout, stderr } = rig.node.run(() => spawnSync('nft', args, { encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
  return stdout
}

/** How many packets the forward hook sees while something happens. */
async function forwarded(work: () => Promise<void>): Promise<number> {
  nft(
    'add table inet look; add chain inet look seen { type filter hook forward priority 0; }; add rule inet look seen meta l4proto { tcp, udp } counter',
  )
  await work()
  const seen = Number(/packets (\d+)/.exec(nft('list', 'chain', 'inet', 'look', 'seen'))?.[1])
  nft('delete', 'table', 'inet', 'look')
  return seen
}

for (const family of [4, 6] as const) {
  const places: readonly (readonly [string, () => Station, () => Address, number])[] = [
    ['a pod through a ClusterIP', () => rig.client, () => vips[family], 80],
    ['outside through a node port', () => rig.outsider, () => rig.nodeAddresses[family], nodePort],
    ['a pod that calls itself', () => rig.backends[0], () => vips[family], 80],
    ['a pod to a pod', () => rig.client, () => rig.backends[0].addresses[family], 8081],
  ]
  for (const [what, from, address, port] of places) {
    test(`IPv${family} TCP, ${what}: long connections go past the hooks, are counted, and end well`, async () => {
      const echo = await longConnection(from(), address(), port)
      assert.equal(entry(address(), port)?.offloaded, true, JSON.stringify(rig.node.network.connections()))
      const before = entry(address(), port)?.traffic?.original.packets ?? 0
      // A last segment of some other connection may pass.
      const seen = await forwarded(() => talk(echo, 50))
      assert.ok(seen < 5, `${seen} packets went the ordinary way`)
      const counted = (entry(address(), port)?.traffic?.original.packets ?? 0) - before
      assert.ok(counted >= 50, `${counted} packets counted`)
      echo.socket.end()
      assert.equal(await echo.closed, 'closed')
    })
  }

  test(`IPv${family} UDP: long flows go past the hooks; DNS never`, async () => {
    const socket = openUdp(rig.client, family)
    closing.push(socket)
    for (const [port, offloaded] of [
      [5000, true],
      [53, undefined],
    ] as const) {
      for (let i = 0; i < 30; i++) assert.match(await socket.ask(vips[family], port), /^backend-1 /)
      assert.equal(entry(vips[family], port)?.offloaded, offloaded)
    }
    const seen = await forwarded(async () => {
      for (let i = 0; i < 10; i++) await socket.ask(vips[family], 5000)
    })
    assert.ok(seen < 5, `${seen} packets went the ordinary way`)
  })

  test(`IPv${family} UDP: a long flow goes to another endpoint when its own goes`, async () => {
    const socket = openUdp(rig.client, family)
    closing.push(socket)
    for (let i = 0; i < 30; i++) assert.match(await socket.ask(vips[family], 5000), /^backend-1 /)
    assert.equal(entry(vips[family], 5000)?.offloaded, true)
    await web([undefined, ready])
    assert.match(await socket.ask(vips[family], 5000), /^backend-2 /)
  })

  test(`IPv${family}: a policy that denies a long connection cuts it`, async () => {
    const echo = await longConnection(rig.client, vips[family], 80)
    assert.equal(entry(vips[family], 80)?.offloaded, true)
    objects.put(policyObject('deny', { podSelector: { matchLabels: { app: 'backend-1' } }, policyTypes: ['Ingress'] }))
    await agent.settled()
    let answered = false
    echo.socket.on('data', () => {
      answered = true
    })
    echo.socket.write('let me in\n')
    // Nothing may come: its next segment belongs to no connection and is dropped.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.equal(answered, false)
    echo.socket.destroy()
  })

  test(`IPv${family}: a long connection is cut at the deadline of its endpoint, and without one goes on`, async () => {
    const drain = { 'plumb.network/drain-seconds': '1' }
    await web([ready, undefined], drain)
    const echo = await longConnection(rig.client, vips[family], 80)
    assert.equal(echo.name, 'backend-1')
    assert.equal(entry(vips[family], 80)?.offloaded, true)
    await web([ending, ready], drain)
    await talk(echo, 5)
    const writer = setInterval(() => echo.socket.write('?'), 50)
    assert.equal(await echo.closed, 'ECONNRESET')
    clearInterval(writer)
    await web([ready, undefined])
    const kept = await longConnection(rig.client, vips[family], 80)
    await web([undefined, ready])
    await talk(kept, 30)
    assert.equal(entry(vips[family], 80)?.offloaded, true)
  })
}

/** Talks on until the connection is offloaded again; a test that is never over fails by its time. */
async function untilOffloaded(echo: Echo, address: Address, port: number): Promise<void> {
  while (entry(address, port)?.offloaded !== true) await talk(echo)
}

test('the table taken away in the middle of a stream: nothing breaks, and the fast path comes back', async () => {
  const echo = await longConnection(rig.client, vips[4], 80)
  nft('delete', 'table', 'inet', 'plumb-fastpath')
  await talk(echo, 5)
  const began = performance.now()
  await untilOffloaded(echo, vips[4], 80)
  console.log(`offloaded again ${Math.round(performance.now() - began)} ms after the table was taken away`)
  nft('flush', 'ruleset')
  await untilOffloaded(echo, vips[4], 80)
  await talk(echo, 30)
})

test('an agent that ends leaves the fast path; the next one takes it over, and one without the option takes it away', async () => {
  const echo = await longConnection(rig.client, vips[6], 80)
  await agent.stop()
  await talk(echo, 30)
  assert.equal(entry(vips[6], 80)?.offloaded, true)
  await start()
  await untilOffloaded(echo, vips[6], 80)
  await agent.stop()
  await start(false)
  await talk(echo, 5)
  assert.equal(entry(vips[6], 80)?.offloaded, undefined)
  assert.doesNotMatch(nft('list', 'tables'), /fastpath/)
  await agent.stop()
  await start()
  await untilOffloaded(echo, vips[6], 80)
})

test('links that come join, links that go leave, and connections through those that stay go on', async () => {
  const echo = await longConnection(rig.client, vips[4], 80)
  const { network } = rig.node
  const devices = (): string => nft('list', 'flowtables')
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  for (let round = 0; round < 3; round++) {
    network.addVeth({ name: 'new', peerName: 'new-peer' })
    network.setLink('new', { up: true })
    network.setLink('new-peer', { up: true })
    await until(() => /\bnew\b/.test(devices()))
    network.deleteLink('new')
    await until(() => !/\bnew\b/.test(devices()))
  }
  await untilOffloaded(echo, vips[4], 80)
  await talk(echo, 10)
})

test('nft lists the table and loads what it listed', () => {
  const listed = nft('list', 'table', 'inet', 'plumb-fastpath')
  assert.match(listed, /ct packets > 20 .*flow add @fast/)
  const names = [...listed.matchAll(/devices = \{ ([^}]*) \}/g)].flatMap((match) => match[1]?.split(', ') ?? [])
  assert.ok(
    names.some((name) => name.trim() === 'client'),
    listed,
  )
  const { status, stderr } = spawnSync('unshare', ['-n', 'nft', '-f', '-'], {
    input: listed.replace(/devices = .*/, 'devices = { lo }'),
  })
  assert.equal(status, 0, stderr.toString())
})

test('a kernel that cannot end such connections is refused, and says why', async () => {
  const refuse = (): never => {
    throw new HostError('busy', 'delete connection', 'EBUSY')
  }
  const old = instead(host, {
    createNamespace() {
      const namespace = host.createNamespace()
      return instead(namespace, { network: instead(namespace.network, { deleteConnection: refuse }) })
    },
  })
  assert.match((await whyNoFastPath(old)) ?? '', /cannot end a connection that it has taken over/)
  assert.equal(await whyNoFastPath(host), undefined)
})

/** The same thing with some of its parts replaced. */
function instead<T extends object>(thing: T, parts: Partial<T>): T {
  const pick = (name: string | symbol): unknown => {
    const part = Reflect.get(name in parts ? parts : thing, name) as unknown
    return typeof part === 'function' ? part.bind(thing) : part
  }
  return new Proxy(thing, { get: (_, name) => pick(name) })
}
