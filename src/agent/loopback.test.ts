import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Agent } from './index.ts'
import {
  askTcp,
  buildRig,
  host,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  serveTcp,
  serviceObject,
  sliceObject,
  startOnRig,
} from './rig.fixture.ts'

const vips = ['10.96.0.1', 'fd00:96::1']
const loopback = parseAddress('127.0.0.1')
const log = quietLog()
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects

const run = (namespace: Rig['node'], ...command: string[]): string => {
  const [name = '', ...args] = command
  const { status, stdout, stderr } = namespace.run(() => spawnSync(name, args, { encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
  return stdout
}
const web = (policy: 'Cluster' | 'Local' = 'Cluster') =>
  serviceObject('web', vips, {
    type: 'NodePort',
    externalTrafficPolicy: policy,
    ports: [
      { name: 'tcp', port: 80, nodePort: 30080, protocol: 'TCP' },
      { name: 'udp', port: 53, nodePort: 30053, protocol: 'UDP' },
    ],
  })

before(() => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  objects.put(web())
  objects.put(sliceObject('web', 4, [rig.backends[0].addresses[4]]))
  closing.push(serveTcp(rig.backends[0], 4, 8080))
  closing.push(serveTcp({ name: 'node', namespace: rig.node, addresses: rig.nodeAddresses }, 4, 8080))
  closing.push(
    serveTcp({ name: 'secret', namespace: rig.node, addresses: { ...rig.nodeAddresses, 4: loopback } }, 4, 9000),
  )
})
after(() => {
  for (const one of closing) one.close()
  rig.close()
})

async function withAgent(loopbackNodePorts: boolean, work: (agent: Agent) => Promise<void>): Promise<void> {
  const agent = await startOnRig(rig, objects, log, { loopbackNodePorts })
  try {
    await agent.ready
    await work(agent)
  } finally {
    await agent.stop()
  }
}

test('node ports do not answer at 127.0.0.1 unless told, and the kernel’s own guard stays', () =>
  withAgent(false, async () => {
    assert.equal(await askTcp(rig.node, loopback, 30080), 'ECONNREFUSED')
    assert.equal(rig.node.network.sysctl('net.ipv4.conf.all.route_localnet'), '0')
  }))

test('TCP node ports answer the node itself at 127.0.0.1: endpoints see an address of the node', () =>
  withAgent(true, async (agent) => {
    const counted = async () =>
      /_localhost_nodeports_accepted_packets_total (\d+)\n/.exec((await agent.metrics.scrape()).text)?.[1]
    assert.equal(await counted(), '0')
    assert.equal(await askTcp(rig.node, loopback, 30080), 'backend-1 10.244.2.1')
    assert.equal(await askTcp(rig.node, rig.nodeAddresses[4], 30080), 'backend-1 10.244.2.1')
    assert.equal(await counted(), '1', 'the first packet of the one by loopback')
    objects.put(sliceObject('web', 4, [rig.nodeAddresses[4]]))
    await agent.settled()
    assert.match(await askTcp(rig.node, loopback, 30080), /^node /, 'an endpoint of the node’s own network')
    objects.put(sliceObject('web', 4, []))
    await agent.settled()
    assert.equal(await askTcp(rig.node, loopback, 30080), 'ECONNREFUSED')
    objects.put(web('Local'))
    objects.put(sliceObject('web', 4, [rig.backends[0].addresses[4]], { node: 'node-2' }))
    await agent.settled()
    assert.match(await askTcp(rig.node, loopback, 30080), /^backend-1 /, 'the node itself has every endpoint')
    objects.put(web())
    const listed = run(rig.node, 'nft', 'list', 'ruleset')
    assert.match(listed, /127\.0\.0\.1 \. tcp \. 30080/)
    assert.doesNotMatch(listed, /127\.0\.0\.1 \. udp/)
    const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: listed, encoding: 'utf8' })
    assert.equal(again.status, 0, again.stderr)
  }))

test('nobody on the wire reaches what listens on loopback, or a node port there', () =>
  withAgent(true, async (agent) => {
    objects.put(sliceObject('web', 4, [rig.backends[0].addresses[4]]))
    await agent.settled()
    const { namespace } = rig.outsider
    // A neighbour that sends to 127.0.0.1 by the node's hardware address.
    run(namespace, 'ip', 'address', 'del', '127.0.0.1/8', 'dev', 'lo')
    namespace.network.setSysctl('net.ipv4.conf.all.route_localnet', 1)
    run(namespace, 'ip', 'route', 'add', '127.0.0.0/8', 'via', rig.nodeAddresses[4], 'src', rig.outsider.addresses[4])
    for (const port of [9000, 30080]) {
      const socket = new Socket({ fd: host.connectTcp(namespace, loopback, port).fd })
      let heard = false
      for (const event of ['data', 'error']) socket.once(event, () => (heard = true))
      socket.resume()
      // A refusal that is asked for later comes back: an answer would have too.
      assert.equal(await askTcp(namespace, parseAddress('10.96.0.1'), 81), 'ECONNREFUSED')
      assert.equal(heard, false, String(port))
      socket.destroy()
    }
    run(rig.node, 'nft', 'delete', 'chain', 'ip', 'plumb-services', 'loopback-guard')
    assert.match(await askTcp(namespace, loopback, 9000), /^secret /, 'without the guard it would')
  }))
