import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { HostError, type Namespace, openHost } from '../host/index.ts'
import type { Node } from '../objects/index.ts'
import { compilePodNetwork, nodeLinkName } from '../pods/index.ts'
import { answerLoopback } from './cni-loopback.ts'
import { answerCni, type CniResult } from './cni-server.ts'
import { applyNodeRoutes, applyNodeSysctls } from './pods-routing.ts'
import { PodWiring } from './pods-wiring.ts'

const host = openHost()
const open: Namespace[] = []
const create = (): Namespace => {
  const namespace = host.createNamespace()
  open.push(namespace)
  return namespace
}
const nodeObject = (index: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${index}` },
  spec: { podCIDRs: [`10.244.${index}.0/24`, `fd00:244:0:${index}::/64`] },
  status: {
    addresses: [
      { type: 'InternalIP', address: `172.30.0.1${index}` },
      { type: 'InternalIP', address: `fd00:30::1${index}` },
    ],
  },
})
const objects = [nodeObject(1), nodeObject(2)]
const nodes: { namespace: Namespace; wiring: PodWiring }[] = []

before(() => {
  const namespaces = [create(), create()] as const
  // Neighbour discovery between the nodes must not wait a second for their link-local addresses.
  for (const { network } of namespaces) network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
  namespaces[0].network.addVeth({ name: 'eth0', peerName: 'eth0', peerNamespace: namespaces[1] })
  for (const [i, namespace] of namespaces.entries()) {
    namespace.network.setLink('eth0', { up: true })
    namespace.network.addAddress('eth0', parseAddress(`172.30.0.1${i + 1}`), 24)
    namespace.network.addAddress('eth0', parseAddress(`fd00:30::1${i + 1}`), 64)
    const wiring = new PodWiring(host, namespace, 1500)
    const network = compilePodNetwork(`node-${i + 1}`, objects)
    applyNodeSysctls(namespace.network)
    assert.deepEqual(applyNodeRoutes(namespace.network, network), { added: 2, removed: 0, refused: [] })
    wiring.setNode(network)
    nodes.push({ namespace, wiring })
  }
})
after(() => {
  for (const namespace of open) namespace.close()
})

async function addPod(node: number, name: string): Promise<{ namespace: Namespace; addresses: Address[] }> {
  const namespace = create()
  const result = (await answerCni(
    nodes[node]!.wiring,
    {
      command: 'ADD',
      containerId: `c-${name}`,
      ifname: 'eth0',
      netns: namespace.path,
      pod: { namespace: 'shop', name },
    },
    { ready: () => Promise.resolve(true) },
  )) as CniResult
  return { namespace, addresses: result.ips.map(({ address }) => parseAddress(address.slice(0, address.indexOf('/')))) }
}

/** Connects and returns the address that the server saw. */
async function ask(from: Namespace, to: Namespace, address: Address): Promise<string> {
  const { fd, port } = host.listenTcp(to, address, 0)
  const server = createServer((socket) => socket.end(socket.remoteAddress ?? ''))
  server.listen({ fd })
  try {
    const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  } finally {
    server.close()
  }
}

test('pods of one node and of two nodes reach one another as themselves, in both families, at once', async () => {
  const a = await addPod(0, 'a')
  const b = await addPod(0, 'b')
  const c = await addPod(1, 'c')
  assert.deepEqual(a.addresses, ['10.244.1.2', 'fd00:244:0:1::2'])
  for (const to of [b, c]) {
    for (const [i, address] of to.addresses.entries()) {
      assert.equal(await ask(a.namespace, to.namespace, address), a.addresses[i])
    }
  }
  for (const [i, address] of c.addresses.entries()) {
    assert.equal(
      await ask(nodes[1]!.namespace, c.namespace, address),
      [`172.30.0.12`, 'fd00:30::12'][i],
      'the node reaches its pod',
    )
  }
})

test('a pod cannot send under an address that is not its own', async () => {
  const liar = await addPod(0, 'liar')
  const victim = await addPod(0, 'victim')
  liar.namespace.network.addAddress('eth0', parseAddress('10.244.2.99'), 32)
  const { fd, port } = host.listenTcp(victim.namespace, victim.addresses[0]!, 0)
  const server = createServer((socket) => socket.end('seen')).listen({ fd })
  const forged = new Socket({
    fd: host.connectTcp(liar.namespace, victim.addresses[0]!, port, { source: parseAddress('10.244.2.99') }).fd,
  })
  forged.on('error', () => undefined)
  const honest = await ask(liar.namespace, victim.namespace, victim.addresses[0]!)
  assert.ok(liar.addresses.includes(honest as Address))
  assert.equal(forged.bytesRead, 0)
  forged.destroy()
  server.close()
})

test('DEL is idempotent and frees the address only when its own link goes; ADD twice is refused', async () => {
  const { wiring, namespace } = nodes[0]!
  const pod = await addPod(0, 'short')
  await assert.rejects(async () => {
    wiring.add({ containerId: 'c-short', interfaceName: 'eth0', namespace: 'shop', pod: 'short' }, pod.namespace.path)
  }, HostError)
  assert.deepEqual(wiring.check('c-short', 'eth0'), [])
  wiring.delete('c-short', 'eth0')
  wiring.delete('c-short', 'eth0')
  assert.equal(namespace.network.findLink(nodeLinkName('c-short', 'eth0')), undefined)
  assert.notDeepEqual(wiring.check('c-short', 'eth0'), [])
})

test('a restarted agent knows its pods and gives no address twice', async () => {
  const { namespace, wiring } = nodes[0]!
  const before = [...wiring.attachments].map(({ pod, addresses }) => `${pod} ${addresses.join()}`).sort()
  const again = new PodWiring(host, namespace, 1500)
  again.setNode(compilePodNetwork('node-1', objects))
  assert.deepEqual([...again.attachments].map(({ pod, addresses }) => `${pod} ${addresses.join()}`).sort(), before)
  const pod = create()
  const { attachment } = again.add(
    { containerId: 'c-new', interfaceName: 'eth0', namespace: 'shop', pod: 'new' },
    pod.path,
  )
  assert.ok(!before.some((line) => line.includes(` ${attachment.addresses[0]},`)))
})

test('GC removes what is not valid any more, and a link that died with its namespace frees its address', async () => {
  const { wiring } = nodes[1]!
  const keep = await addPod(1, 'keep')
  await addPod(1, 'drop')
  await answerCni(
    wiring,
    { command: 'GC', validAttachments: [{ containerID: 'c-keep', ifname: 'eth0' }] },
    { ready: () => Promise.resolve(true) },
  )
  assert.deepEqual(
    [...wiring.attachments].map(({ pod }) => pod),
    ['keep'],
  )
  assert.ok(keep.addresses.length === 2)
})

test('a broken request is answered with a CNI error and changes nothing', async () => {
  const { wiring } = nodes[1]!
  const count = [...wiring.attachments].length
  const until = { ready: () => Promise.resolve(true) }
  const cases: [Parameters<typeof answerCni>[1], number][] = [
    [{ command: 'ADD', containerId: 'x y', ifname: 'eth0' }, 4],
    [{ command: 'ADD', containerId: 'x', ifname: 'much-too-long-a-name' }, 4],
    [{ command: 'ADD', containerId: 'x', ifname: 'eth0' }, 4],
    [{ command: 'ADD', containerId: 'x', ifname: 'eth0', netns: '/nowhere', pod: { namespace: 'n', name: 'p' } }, 3],
  ]
  for (const [request, code] of cases) {
    const answer = (await answerCni(wiring, request, until)) as { code: number }
    assert.equal(answer.code, code, JSON.stringify(request))
  }
  assert.equal([...wiring.attachments].length, count)
  const notReady = await answerCni(
    wiring,
    { command: 'ADD', containerId: 'x', ifname: 'eth0', netns: '/n', pod: { namespace: 'n', name: 'p' } },
    { ready: () => Promise.resolve(false) },
  )
  assert.equal((notReady as { code: number }).code, 11)
})

test('loopback: ADD brings lo up, CHECK sees whether it is, DEL takes it down and may come again', () => {
  const pod = create()
  const call = (command: 'ADD' | 'CHECK' | 'DEL') =>
    answerLoopback(host, { command, plugin: 'loopback', netns: pod.path })
  const isUp = () => pod.network.findLink('lo')?.up
  pod.network.setLink('lo', { up: false })
  assert.equal((call('CHECK') as { code?: number }).code, 100)
  for (const _ of [1, 2]) {
    assert.deepEqual(call('ADD'), {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: pod.path }],
      ips: [
        { address: '127.0.0.1/8', interface: 0 },
        { address: '::1/128', interface: 0 },
      ],
      dns: {},
    })
    assert.equal(isUp(), true)
  }
  assert.deepEqual(call('CHECK'), {})
  assert.deepEqual([call('DEL'), isUp(), call('DEL')], [{}, false, {}])
  const gone = { plugin: 'loopback', netns: '/run/netns/plumb-nobody' } as const
  assert.deepEqual(answerLoopback(host, { command: 'DEL', ...gone }), {})
  assert.equal((answerLoopback(host, { command: 'ADD', ...gone }) as { code?: number }).code, 3)
  assert.equal((answerLoopback(host, { command: 'ADD' }) as { code?: number }).code, 4)
})
