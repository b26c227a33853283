import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { makeNamespaces } from '../host/testing.ts'
import { connectionOf, type Flow, keyOf } from './flow.ts'
import { Standby } from './standby.ts'

const address = parseAddress('192.0.2.100')
const members = ['a', 'b'].map((name, index) => ({ name, addresses: [parseAddress(`192.0.2.${index + 1}`)] }))

interface Node {
  readonly name: string
  readonly namespace: Namespace
  standby: Standby
}

/** Two nodes on one wire, of which `a` holds the address. */
async function build(t: TestContext): Promise<{ host: Host; wire: Namespace; a: Node; b: Node } | undefined> {
  const made = makeNamespaces(t, 3)
  if (made === undefined) return undefined
  const { host, namespaces } = made
  const [wire, ...rest] = namespaces as [Namespace, Namespace, Namespace]
  wire.network.addBridge('switch')
  wire.network.setLink('switch', { up: true })
  const nodes = await Promise.all(
    rest.map(async (namespace, index) => {
      const { name, addresses } = members[index]!
      wire.network.addVeth({ name, peerName: 'eth0', peerNamespace: namespace })
      wire.network.setLink(name, { master: 'switch', up: true })
      namespace.network.setLink('eth0', { up: true })
      namespace.network.addAddress('eth0', addresses[0]!, 24)
      const node = { name, namespace, standby: await start(host, name, namespace) }
      t.after(() => node.standby.close())
      return node
    }),
  )
  const [a, b] = nodes as [Node, Node]
  for (const { standby } of nodes) await standby.setOwners(new Map([[address, 'a']]))
  await a.standby.take(address)
  return { host, wire, a, b }
}

const cared = { address, ports: [{ protocol: 'tcp' as const, port: 80 }], standbys: ['a', 'b'] }
const config = {
  members,
  addresses: [cared],
  podPrefixes: {
    a: [parsePrefix('10.244.0.0/24')],
    b: [parsePrefix('10.244.1.0/24')],
    c: [parsePrefix('10.244.2.0/24')],
  },
  boundPrefixes: [],
}

async function start(host: Host, node: string, namespace: Namespace, key = 'a key for the test'): Promise<Standby> {
  const options = { node, port: 10_262, key: Buffer.from(key), host, namespace }
  const standby = new Standby({ ...options, onTrouble: (message) => assert.fail(message) })
  await standby.configure(config)
  return standby
}

function flowOf(clientPort: number, endpoint = '10.244.2.7'): Flow {
  return {
    ...{ protocol: 6, client: parseAddress('203.0.113.10'), clientPort, address, port: 80 },
    ...{ endpoint: parseAddress(endpoint), endpointPort: 8080, sourcePort: clientPort, timeoutSeconds: 1000 },
  }
}

function begin({ namespace }: Node, flows: readonly Flow[]): void {
  for (const flow of flows) namespace.network.addConnection(connectionOf(flow))
}

function portsAt({ namespace }: Node, to: Address = address): number[] {
  const there = namespace.network.connections().filter(({ original }) => original.destination === to)
  return there.map(({ original }) => original.sourcePort).sort((one, other) => one - other)
}

const copied = ({ standby }: Node): number => standby.state().copies.find((one) => one.address === address)?.flows ?? -1

async function until(what: string, ready: () => boolean): Promise<number> {
  const begun = Date.now()
  while (!ready()) {
    assert.ok(Date.now() - begun < 20_000, `not within 20 s: ${what}`)
    await pause(5)
  }
  return Date.now() - begun
}

test('a standby knows what there was, what began and what ended; the address and its connections go to it', {
  timeout: 60_000,
}, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const { a, b } = rig
  begin(a, [flowOf(1001), flowOf(1002), flowOf(1003)])
  await until('what began is known', () => copied(b) === 3)
  a.namespace.network.deleteConnection(connectionOf(flowOf(1002)))
  await until('what ended is known', () => copied(b) === 2)
  // The client's segment came before the connection did, and was taken for a beginning.
  begin(b, [{ ...flowOf(1003, '10.244.3.9'), sourcePort: 7 }])
  // Another one is of a time when this node had the address.
  begin(b, [flowOf(2000)])
  // Who holds it may be told before its connections are carried on.
  b.standby.hold(address)
  await b.standby.setOwners(new Map([[address, 'b']]))
  await b.standby.take(address)
  assert.deepEqual(portsAt(b), [1001, 1003])
  assert.deepEqual(b.namespace.network.connections().find(({ original }) => original.sourcePort === 1003)?.reply, {
    ...connectionOf(flowOf(1003)).reply,
  })
  // In a planned move the last ones begin at the former holder.
  begin(a, [flowOf(1004)])
  await until('what began last is carried on', () => portsAt(b).includes(1004))
})

test('in a planned move the former holder’s own pods go on too, by the next; in a crash it goes on with them itself', {
  timeout: 60_000,
}, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const { a, b } = rig
  const own = flowOf(1001, '10.244.0.7')
  const ownFlow = { ...flowOf(1003, '10.244.0.7'), protocol: 17, timeoutSeconds: 30 }
  begin(a, [own, flowOf(1002), ownFlow])
  await until('known', () => copied(b) === 3)
  assert.deepEqual(b.standby.datagrams(address, 'a').map(keyOf), [keyOf(ownFlow)], 'TCP tells by itself')
  await b.standby.take(address)
  assert.deepEqual(portsAt(b), [1002], 'it is led to the former holder')
  await b.standby.lose(address, undefined)
  await b.standby.prepare(address, 'a')
  await a.standby.lose(address, 'b')
  await b.standby.take(address)
  assert.deepEqual(portsAt(b), [1001, 1002, 1003])
  assert.deepEqual(portsAt(a), [1002])
  const arriving = [own, ownFlow].map(({ sourcePort }) => sourcePort)
  assert.deepEqual(portsAt(a, own.endpoint), arriving, 'they arrive from the next holder')
})

test('a standby that was cut off, or is new, is told everything anew; one with another key nothing', {
  timeout: 60_000,
}, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const { host, wire, a, b } = rig
  begin(a, [flowOf(1001), flowOf(1002)])
  await until('known', () => copied(b) === 2)
  wire.network.setLink('b', { up: false })
  begin(a, [flowOf(1003), flowOf(1004)])
  a.namespace.network.deleteConnection(connectionOf(flowOf(1001)))
  await pause(300)
  assert.equal(copied(b), 2, 'it knows what it knew')
  wire.network.setLink('b', { up: true })
  t.diagnostic(`told after ${await until('told after the cut', () => copied(b) === 3)} ms`)
  b.standby.close()
  b.standby = await start(host, 'b', b.namespace)
  await b.standby.setOwners(new Map([[address, 'a']]))
  t.diagnostic(`a new one knows everything after ${await until('told from the beginning', () => copied(b) === 3)} ms`)
  b.standby.close()
  b.standby = await start(host, 'b', b.namespace, 'another key')
  await b.standby.setOwners(new Map([[address, 'a']]))
  await pause(800)
  assert.equal(copied(b), -1)
  assert.equal(a.standby.state().followers, 0)
})

test('datagrams from outside wait for the flows that the next holder carries on; those of pods pass', {
  timeout: 60_000,
}, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const { host, wire, a, b } = rig
  wire.network.addAddress('switch', parseAddress('203.0.113.10'), 32)
  wire.network.addAddress('switch', parseAddress('10.244.2.9'), 32)
  wire.network.setRoute({ destination: '192.0.2.0/24' as never, link: 'switch' })
  wire.network.setNeighbour({
    address,
    link: 'switch',
    mac: b.namespace.network.findLink('eth0')?.mac ?? '',
    state: 'permanent',
  })
  b.namespace.network.setSysctl('net.ipv4.ip_forward', 1)
  const send = async (source: string, sourcePort: number): Promise<void> => {
    const socket = createSocket('udp4')
    socket.bind({ fd: host.bindUdp(wire, parseAddress(source), sourcePort).fd })
    await new Promise((resolve) => socket.send('x', 53, address, resolve))
    socket.close()
  }
  const flow = { ...flowOf(1001), protocol: 17, port: 53, timeoutSeconds: 30 }
  begin(a, [flow])
  await until('known', () => copied(b) === 1)
  await send(flow.client, 1001)
  await send('10.244.2.9', 1002)
  await until('the pod’s has passed', () => portsAt(b).includes(1002))
  assert.deepEqual(portsAt(b), [1002])
  await b.standby.configure({ ...config, addresses: [{ ...cared, isRouted: true }] })
  await send(flow.client, 1004)
  await until('where routers send it too, nothing waits', () => portsAt(b).includes(1004))
  await b.standby.take(address)
  await send(flow.client, 1001)
  await send(flow.client, 1003)
  await until('new ones pass', () => portsAt(b).includes(1003))
  const taken = b.namespace.network.connections().find(({ original }) => original.sourcePort === 1001)
  assert.deepEqual(taken?.reply, connectionOf(flow).reply)
})

test('what the next holder was not told of goes on at the former one', { timeout: 60_000 }, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const { a, b } = rig
  const own = flowOf(1001, '10.244.0.7')
  begin(a, [own])
  await until('known', () => copied(b) === 1)
  await a.standby.lose(address, 'c')
  assert.deepEqual([portsAt(a), portsAt(a, own.endpoint)], [[1001], []])
  await a.standby.take(address)
  await a.standby.lose(address, 'b')
  assert.deepEqual([portsAt(a), portsAt(a, own.endpoint)], [[], [1001]])
})

test('unknown segments of TCP wait in silence until the connections are known; beginnings pass', {
  timeout: 60_000,
}, async (t) => {
  const rig = await build(t)
  if (rig === undefined) return
  const guarded = ({ namespace }: Node): string =>
    namespace.run(() => spawnSync('nft', ['list', 'set', 'ip', 'plumb-standby', 'guarded'], { encoding: 'utf8' }))
      .stdout
  assert.doesNotMatch(guarded(rig.a), /192\.0\.2\.100/)
  assert.match(guarded(rig.b), /192\.0\.2\.100/)
  await rig.b.standby.take(address)
  await rig.a.standby.lose(address, 'b')
  assert.match(guarded(rig.a), /192\.0\.2\.100/)
  assert.doesNotMatch(guarded(rig.b), /192\.0\.2\.100/)
})
