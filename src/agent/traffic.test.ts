import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Client } from '../client/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { askTcp, host, openUdp, serveTcp, serveUdp, serviceObject, sliceObject } from './rig.fixture.ts'
import { ServiceTraffic } from './traffic.ts'
import { TrafficReport } from './traffic-report.ts'

const vip = parseAddress('10.96.0.1')
const other = parseAddress('10.96.0.2')
const { rig, objects, log, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  const [backend] = rig.backends
  objects.put(serviceObject('web', [vip]))
  objects.put(serviceObject('idle', [other]))
  for (const name of ['web', 'idle']) objects.put(sliceObject(name, 4, [backend.addresses[4]]))
  closing.push(serveTcp(backend, 4, 8080), serveUdp(backend, 4, 5353), serveTcp(backend, 4, 8081, true))
  agent = await start()
  await agent.ready
})

/** Reads until `done`; events arrive on their own. */
async function readUntil(
  traffic: ServiceTraffic,
  done: (read: ReturnType<ServiceTraffic['read']>) => boolean,
): Promise<ReturnType<ServiceTraffic['read']>> {
  for (;;) {
    const read = traffic.read()
    if (done(read)) return read
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const ownerOf = (frontend: string): string | undefined =>
  frontend.startsWith(`${vip} . `) ? 'ns/web' : frontend.startsWith(`${other} . `) ? 'ns/idle' : undefined

test('connections, packets and bytes by Service: those that ended, those that are alive, TCP and UDP', async () => {
  const traffic = new ServiceTraffic(rig.node.network, ownerOf)
  try {
    for (let i = 0; i < 20; i++) assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-1 /)
    const socket = openUdp(rig.client, 4)
    closing.push(socket)
    assert.match(await socket.ask(vip, 53), /^backend-1 /)
    // To the endpoint itself: of no Service.
    assert.match(await askTcp(rig.client.namespace, rig.backends[0].addresses[4], 8080), /^backend-1 /)
    const read = await readUntil(traffic, (one) => one.get('ns/web')?.connections === 21)
    const web = read.get('ns/web')!
    // SYN, ACK and FIN at least of each connection, and a datagram.
    assert.ok(web.requestPackets >= 61 && web.replyPackets >= 61, JSON.stringify(web))
    assert.ok(web.requestBytes >= 61 * 28 && web.replyBytes > web.requestPackets * 20, JSON.stringify(web))
    assert.equal(read.get('ns/idle'), undefined)
    // What conntrack forgets is counted once, by its event.
    for (const one of rig.node.network.connections()) rig.node.network.deleteConnection(one)
    const after = await readUntil(traffic, () => rig.node.network.connections().length === 0)
    assert.deepEqual(after.get('ns/web'), web)
    traffic.keep((key) => key !== 'ns/web')
    assert.equal(traffic.read().get('ns/web'), undefined)
    assert.equal(traffic.lost, 0)
  } finally {
    traffic.close()
  }
})

test('a long connection is counted while it is alive', async () => {
  objects.put(serviceObject('web', [vip], { ports: [{ name: 'echo', port: 80, protocol: 'TCP' }] }))
  const slice = sliceObject('web', 4, [rig.backends[0].addresses[4]])
  objects.put({ ...slice, ports: [{ name: 'echo', port: 8081, protocol: 'TCP' }] } as typeof slice)
  await agent.settled()
  const traffic = new ServiceTraffic(rig.node.network, ownerOf)
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vip, 80).fd })
  try {
    await once(socket, 'data')
    const before = traffic.read().get('ns/web')?.requestBytes ?? 0
    socket.write(Buffer.alloc(100_000))
    for (let got = 0; got < 100_000; ) got += ((await once(socket, 'data')) as [Buffer])[0].length
    const { requestBytes = 0, replyBytes = 0 } = traffic.read().get('ns/web') ?? {}
    assert.ok(requestBytes - before >= 100_000 && replyBytes >= 100_000, `${before} ${requestBytes} ${replyBytes}`)
  } finally {
    socket.destroy()
    traffic.close()
  }
})

test('a report writes an object per Service and node, only when it changed, and metrics', async () => {
  const traffic = new ServiceTraffic(rig.node.network, ownerOf)
  const written: { name: string; object: Record<string, unknown> }[] = []
  const client = {
    patch: async (_: unknown, namespace: string, name: string, type: string, object: Record<string, unknown>) => {
      assert.equal(type, 'apply')
      written.push({ name: `${namespace}/${name}`, object })
    },
  } as unknown as Client
  const report = new TrafficReport(traffic, {
    client,
    snapshot: agent.snapshot,
    nodeName: 'node-1',
    log,
    intervalMs: 3_600_000,
  })
  try {
    await askTcp(rig.client.namespace, vip, 80)
    await readUntil(traffic, (one) => one.get('ns/web')?.connections === 1)
    await report.report()
    const { name, object } = written[0]!
    assert.equal(name, 'ns/web.node-1')
    assert.deepEqual([object.service, object.node, object.connections], ['web', 'node-1', 1])
    assert.match(report.text(), /^plumb_service_connections_total\{namespace="ns",service="web"\} 1$/m)
    assert.match(report.text(), /^plumb_service_bytes_total\{namespace="ns",service="web",direction="reply"\} \d+$/m)
    // The last segments of a connection may come after its answer; then nothing is new, and nothing is written.
    for (let before = -1; before !== written.length; ) {
      before = written.length
      await new Promise((resolve) => setTimeout(resolve, 20))
      await report.report()
      assert.ok(written.length < 100, 'it goes on for ever')
    }
  } finally {
    report.close()
  }
})
