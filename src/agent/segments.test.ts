import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { createServer, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type Address, type Family, hostPrefix, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Namespace } from '../host/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import { type EgressPod, EgressRig, egressObject, firstLine, outside } from './egress.fixture.ts'
import { host } from './rig.fixture.ts'

const families = [4, 6] as const
/** Of no segment: the router has a route to whoever holds them. */
const red: readonly Address[] = ['198.51.100.200', '2001:db8:51::200'].map(parseAddress)
let rig: EgressRig
/** Nodes 1 and 3 are on one segment, 2 and 4 on the other. */
let pods: Record<1 | 2 | 3, EgressPod>
const servers: { close(): unknown }[] = []

before(async () => {
  rig = new EgressRig(4, 2)
  rig.serve()
  await rig.start()
  pods = { 1: await rig.addPod('a-1', 1, {}), 2: await rig.addPod('b-2', 2, {}), 3: await rig.addPod('a-3', 3, {}) }
  for (const pod of Object.values(pods)) for (const address of pod.addresses) echo(pod.namespace, address)
})
after(async () => {
  for (const server of servers) server.close()
  await rig.close()
})

/** Says who asks, and then the same again. */
function echo(namespace: Namespace, address: Address): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    servers.push({ close: () => socket.destroy() })
    socket.write(`${socket.remoteAddress}\n`)
    socket.pipe(socket)
  })
  server.listen({ fd: host.listenTcp(namespace, address, 80).fd })
  servers.push(server)
}

async function ask(from: Namespace, address: Address, timeoutMs = 5000): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(from, address, 80).fd })
  try {
    return await firstLine(socket, timeoutMs)
  } finally {
    socket.destroy()
  }
}

/** As an operator has it: the agent does not give it back. */
function defaultRoute(rig: EgressRig, node: number, family: Family) {
  const own = rig.addressesOf(node)[family]
  const gateway = parseAddress(family === 4 ? own.replace(/\d+$/, '1') : own.replace(/[^:]+$/, '1'))
  return { destination: parsePrefix(family === 4 ? '0.0.0.0/0' : '::/0'), gateway, link: 'eth0', protocol: 4 }
}

const addressOf = (pod: EgressPod, family: Family): Address => pod.addresses[family === 4 ? 0 : 1] ?? assert.fail()

test('pods of different segments reach one another under their own addresses, though the router knows no pod', {
  timeout: 60_000,
}, async () => {
  for (const [from, to] of [
    [1, 2],
    [2, 1],
    [3, 2],
    [1, 3],
  ] as const)
    for (const family of families)
      assert.equal(await ask(pods[from].namespace, addressOf(pods[to], family)), addressOf(pods[from], family))
  const routes = rig.node('node-1').network.routes({ protocol: 0x50 })
  const linkOf = (destination: string) => routes.find((route) => route.destination === destination)?.link
  assert.deepEqual(['10.244.2.0/24', '10.244.3.0/24', 'fd00:244:0:4::/64'].map(linkOf), [
    'vxlan-plumb',
    'eth0',
    'vxlan-plumb',
  ])
  assert.equal(pods[1].namespace.network.findLink('eth0')?.mtu, 1450)
})

test('pods and nodes of the other segment reach one another, under the addresses that they have', {
  timeout: 60_000,
}, async () => {
  for (const family of families) {
    const node = rig.node('node-2')
    const address = rig.addressesOf(2)[family]
    echo(node, address)
    assert.equal(await ask(pods[1].namespace, address), addressOf(pods[1], family))
    assert.equal(await ask(node, addressOf(pods[1], family)), address)
  }
})

test('what is too large for the tunnel arrives: streams, datagrams in fragments, and pods are told the size that fits', {
  timeout: 60_000,
}, async () => {
  const server = createServer((socket) => {
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes === 4 << 20) socket.end('all of it\n')
    })
    socket.on('error', () => undefined)
  })
  server.listen({ fd: host.listenTcp(pods[2].namespace, addressOf(pods[2], 4), 81).fd })
  servers.push(server)
  const receiver = rig.datagrams(pods[2])
  const { port } = receiver.address()
  // A pod of before the tunnel was there.
  const old = await rig.addPod('old', 1, {})
  old.namespace.network.setLink('eth0', { mtu: 1500 })
  const link = rig
    .node('node-1')
    .network.routes()
    .find(({ destination }) => destination.startsWith(addressOf(old, 4)))?.link
  rig.node('node-1').network.setLink(link ?? assert.fail(), { mtu: 1500 })
  for (const pod of [pods[1], old]) {
    const socket = new Socket({ fd: host.connectTcp(pod.namespace, addressOf(pods[2], 4), 81).fd })
    const said = firstLine(socket, 20_000)
    socket.write(Buffer.alloc(4 << 20))
    assert.equal(await said, 'all of it')
    const sender = rig.datagrams(pod)
    const arrived = new Promise<number>((resolve) => receiver.once('message', ({ length }) => resolve(length)))
    sender.send(Buffer.alloc(8000), port, addressOf(pods[2], 4))
    assert.equal(await arrived, 8000)
  }
  // With "don't fragment" the first one is lost, and its sender told.
  const told = rig.datagrams(old)
  const arrived = new Promise<number>((resolve) => receiver.once('message', ({ length }) => resolve(length)))
  const sending = setInterval(() => told.send(Buffer.alloc(1472), port, addressOf(pods[2], 4)), 20)
  assert.equal(await arrived, 1472)
  clearInterval(sending)
  assert.equal(old.namespace.network.lookupRoute(addressOf(pods[2], 4))?.mtu, 1450)
  await rig.removePod(old)
})

/** One datagram, which is under way when this resolves. */
async function sendFrom(from: Namespace, source: Address, destination: Address): Promise<void> {
  const socket = createSocket('udp4')
  socket.bind({ fd: host.bindUdp(from, source, 0).fd })
  await new Promise<void>((resolve, reject) =>
    socket.send('x', 9, destination, (error) => (error === null ? resolve() : reject(error))),
  )
  socket.close()
}

test('the tunnel takes no packet from anyone but a node, and none whose source is not behind it', {
  timeout: 60_000,
}, async () => {
  const pod = addressOf(pods[2], 4)
  const dropped = (comment: string): number => {
    const listed = rig.nft(rig.node('node-2'), 'list', 'table', 'ip', 'plumb-pods')
    return Number(new RegExp(`packets (\\d+) bytes \\d+ drop comment "${comment}"`).exec(listed)?.[1])
  }
  /** A tunnel of the sender's own, whose packets claim to be a pod's of node-1. */
  const forge = async (from: Namespace, local: Address, source: Address): Promise<void> => {
    const { network } = from
    const mac = rig.node('node-2').network.findLink('vxlan-plumb')?.mac ?? assert.fail()
    network.addVxlan({ name: 'forged', id: 80, local, port: 8472 })
    network.setLink('forged', { up: true })
    network.addAddress('forged', source, 32)
    network.setNeighbour({ address: pod, link: 'forged', mac, state: 'permanent' })
    network.setForwarding('forged', mac, rig.addressesOf(2)[4])
    network.setRoute({ destination: hostPrefix(pod), link: 'forged', source, scope: 'link' })
    try {
      await sendFrom(from, source, pod)
    } finally {
      network.deleteLink('forged')
    }
  }
  const victim = parseAddress('10.244.1.77')
  assert.equal(dropped('no node'), 0)
  await forge(rig.server, outside[4], victim)
  assert.equal(dropped('no node'), 1)
  await forge(pods[1].namespace, addressOf(pods[1], 4), victim)
  assert.equal(dropped('no node'), 2)
  // A node that speaks in the name of another segment's pod: node-4 is on the segment of node-2.
  assert.equal(dropped('nobody behind the tunnel has this source'), 0)
  const { network } = rig.node('node-1')
  network.addAddress('lo', parseAddress('10.244.4.9'), 32)
  await sendFrom(rig.node('node-1'), parseAddress('10.244.4.9'), pod)
  network.deleteAddress('lo', parseAddress('10.244.4.9'), 32)
  assert.equal(dropped('nobody behind the tunnel has this source'), 1)
  // A Service that leads to a node's tunnel.
  assert.match(
    rig.nft(rig.node('node-1'), 'list', 'chain', 'ip', 'plumb-pods', 'tunnel-forward'),
    /ct status dnat drop/,
  )
})

test('NetworkPolicies judge the pods behind the tunnel by their own addresses', { timeout: 60_000 }, async () => {
  rig.objects.put({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'only-a-1', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { guarded: 'yes' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { may: 'yes' } } }] }],
    },
  } as KubeObject)
  const guarded = await rig.addPod('guarded', 2, { guarded: 'yes' })
  const may = await rig.addPod('may', 1, { may: 'yes' })
  for (const address of guarded.addresses) echo(guarded.namespace, address)
  for (const family of families) {
    assert.equal(await ask(may.namespace, addressOf(guarded, family)), addressOf(may, family))
    await assert.rejects(ask(pods[3].namespace, addressOf(guarded, family), 300), /no answer/)
  }
})

test('a Service leads to pods of the other segment, and a node port there, too', { timeout: 60_000 }, async () => {
  const [v4, v6] = pods[2].addresses
  const clusterIPs = ['10.96.7.7', 'fd00:96::77']
  rig.objects.put({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'far', namespace: 'shop' },
    spec: {
      type: 'NodePort',
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies: ['IPv4', 'IPv6'],
      ports: [{ port: 80, targetPort: 80, nodePort: 30080, protocol: 'TCP' }],
    },
  } as Service)
  for (const [addressType, address] of [
    ['IPv4', v4],
    ['IPv6', v6],
  ] as const) {
    rig.objects.put({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `far-${addressType}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'far' } },
      addressType,
      ports: [{ port: 80, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], nodeName: 'node-2', conditions: { ready: true } }],
    } as unknown as EndpointSlice)
  }
  await rig.settled()
  for (const family of families) {
    const clusterIp = parseAddress(clusterIPs[family === 4 ? 0 : 1] ?? '')
    assert.equal(await ask(pods[1].namespace, clusterIp), addressOf(pods[1], family))
    // Not as the server that leaks are looked for at.
    const source = parseAddress(family === 4 ? '203.0.113.11' : '2001:db8:113::11')
    const socket = new Socket({ fd: host.connectTcp(rig.server, rig.addressesOf(1)[family], 30080, { source }).fd })
    assert.equal(await firstLine(socket, 5000), rig.addressesOf(1)[family])
    socket.destroy()
  }
})

test('egress: an owner on another segment answers for pods of both; moves break nothing, and nothing leaks', {
  timeout: 60_000,
}, async () => {
  const leaks = rig.watchLeaks(red)
  rig.objects.put(egressObject('red', { egressIPs: [...red] }))
  for (const address of red) rig.owners.move(address, 'node-2')
  await rig.settled()
  const clients = await Promise.all([1, 2, 3, 4].map((node) => rig.addPod(`out-${node}`, node, { egress: 'red' })))
  const flows = await Promise.all(clients.flatMap((pod) => families.map((family) => rig.connect(pod, family))))
  const sources = flows.map(({ source }) => source)
  assert.deepEqual([...new Set(sources.map((source) => source.split(' ')[0]))].sort(), [...red].sort())
  for (let i = 0; i < 100; i++) {
    for (const address of red) rig.owners.move(address, `node-${(i % 4) + 1}`)
    const answers = flows.map(({ socket }) => firstLine(socket, 20_000))
    for (const [at, { socket }] of flows.entries()) socket.write(`${i} ${sources[at]}\n`)
    const said = await Promise.all(answers)
    assert.deepEqual(
      said,
      sources.map((source) => `${i} ${source}`),
    )
  }
  // The owner dies: what is under way waits for the next one.
  for (const address of red) rig.owners.move(address, 'node-4')
  rig.cable(4, false)
  const others = flows.filter((_, i) => i < 6)
  const late = others.map(({ socket }) => firstLine(socket, 20_000))
  for (const { socket } of others) socket.write('there?\n')
  const begun = performance.now()
  for (const address of red) rig.owners.move(address, 'node-1')
  assert.deepEqual(await Promise.all(late), Array(6).fill('there?'))
  console.log(`connections went on ${Math.round(performance.now() - begun)} ms after the next owner was there`)
  rig.cable(4, true)
  assert.equal(leaks(), 0)
})

test('a link that goes down takes routes with it, and gets them back; nothing leaves meanwhile by another way', {
  timeout: 60_000,
}, async () => {
  const leaks = rig.watchLeaks(red)
  for (const address of red) rig.owners.move(address, 'node-2')
  const pod = await rig.addPod('cut', 1, { egress: 'red' })
  const flow = await rig.connect(pod)
  const { network } = rig.node('node-1')
  const here = () => network.routes({ protocol: 0x51 }).filter(({ kind }) => kind !== 'blackhole').length
  const before = here()
  network.setSysctl('net.ipv6.conf.eth0.keep_addr_on_down', 1)
  network.setLink('eth0', { up: false })
  network.setLink('vxlan-plumb', { up: false })
  const begun = performance.now()
  network.setLink('eth0', { up: true })
  for (const family of families) network.setRoute(defaultRoute(rig, 1, family))
  while (here() !== before) {
    assert.ok(performance.now() - begun < 10_000, `${here()} of ${before} routes are back`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  console.log(`routes were back after ${Math.round(performance.now() - begun)} ms`)
  const answer = firstLine(flow.socket, 20_000)
  flow.socket.write('still\n')
  assert.equal(await answer, 'still')
  assert.equal(await ask(pods[3].namespace, addressOf(pods[2], 4)), addressOf(pods[3], 4))
  assert.equal(leaks(), 0)
})

test('with the last node of another segment the tunnel goes; when the agent’s things are taken away, nothing stays', {
  timeout: 60_000,
}, async () => {
  const { network } = rig.node('node-1')
  rig.objects.delete('Node', 'node-2')
  await rig.settled()
  assert.equal(network.forwardings('vxlan-plumb').length, 1)
  rig.objects.delete('Node', 'node-4')
  await rig.settled()
  assert.equal(network.findLink('vxlan-plumb'), undefined)
  assert.deepEqual(
    network.rules().filter(({ priority }) => priority === 20562),
    [],
  )
  assert.doesNotMatch(rig.nft(rig.node('node-1'), 'list', 'ruleset'), /tunnel/)
})
