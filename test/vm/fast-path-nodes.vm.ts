import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../../src/addr/index.ts'
import { type EgressPod, EgressRig, egressObject, outside, port } from '../../src/agent/egress.fixture.ts'
import { host, serveTcp, serviceObject, sliceObject } from '../../src/agent/rig.fixture.ts'

const vips = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const red = { 4: parseAddress('172.30.0.200'), 6: parseAddress('fd00:30::200') }
const closing: { close(): void }[] = []
let rig: EgressRig
let pods: readonly EgressPod[]

before(async () => {
  rig = new EgressRig(2)
  rig.serve()
  rig.objects.put(egressObject('red', { egressIPs: [red[4], red[6]] }))
  for (const address of [red[4], red[6]]) rig.owners.move(address, 'node-2')
  await rig.start('strict', true)
  pods = [
    await rig.addPod('client', 1, {}),
    await rig.addPod('server', 2, {}),
    await rig.addPod('red', 1, { egress: 'red' }),
  ]
  rig.objects.put(serviceObject('web', [vips[4], vips[6]], { ports: [{ name: 'tcp', port: 80, protocol: 'TCP' }] }))
  for (const family of [4, 6] as const) {
    const server = station(pods[1]!)
    closing.push(serveTcp(server, family, 8080, true))
    rig.objects.put(sliceObject('web', family, [server.addresses[family]], { node: 'node-2' }))
  }
  await rig.settled()
})
after(async () => {
  for (const one of closing) one.close()
  await rig.close()
})

function station({ key, namespace, addresses }: EgressPod) {
  const of = (v6: boolean): Address => addresses.find((one) => one.includes(':') === v6)!
  return { name: key, namespace, addresses: { 4: of(false), 6: of(true) } }
}

async function talk(
  pod: EgressPod,
  address: Address,
  to: number,
  times: number,
): Promise<{ socket: Socket; hello: string }> {
  const socket = new Socket({ fd: host.connectTcp(pod.namespace, address, to).fd })
  closing.push({ close: () => socket.destroy() })
  const [hello] = (await once(socket, 'data')) as [Buffer]
  for (let i = 0; i < times; i++) {
    socket.write(`line ${i}\n`)
    const [back] = (await once(socket, 'data')) as [Buffer]
    assert.equal(back.toString(), `line ${i}\n`)
  }
  return { socket, hello: hello.toString() }
}

/** On which nodes a pod's connection to this port takes the fast path. */
function offloadedOn(pod: EgressPod, to: number): readonly number[] {
  return rig.nodes.flatMap((node, i) => {
    const mine = node.network
      .connections()
      .filter(({ original }) => pod.addresses.includes(original.source) && original.destinationPort === to)
    return mine.some(({ offloaded }) => offloaded) ? [i + 1] : []
  })
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: a long connection through a Service to a pod of another node takes the fast path on both`, async () => {
    const { socket, hello } = await talk(pods[0]!, vips[family], 80, 30)
    assert.equal(hello.trim(), `shop/server ${station(pods[0]!).addresses[family]}`)
    assert.deepEqual(offloadedOn(pods[0]!, 80), [1])
    assert.deepEqual(offloadedOn(pods[0]!, 8080), [2])
    socket.end()
    await once(socket, 'close')
  })

  test(`IPv${family}: out of the cluster under the node's address by the fast path, under an egress address by the hooks`, async () => {
    const plain = await talk(pods[0]!, outside[family], port, 30)
    assert.deepEqual(offloadedOn(pods[0]!, port), [1])
    const red4 = await talk(pods[2]!, outside[family], port, 30)
    assert.equal(red4.hello.split(' ')[0], red[family])
    assert.deepEqual(offloadedOn(pods[2]!, port), [], rig.log.lines.join('\n'))
    for (const { socket } of [plain, red4]) socket.destroy()
  })
}

test('a pod that goes leaves nothing behind: another one gets its address and a connection of its own', async () => {
  const first = await rig.addPod('first', 1, {})
  const { socket } = await talk(first, vips[4], 80, 30)
  socket.destroy()
  await rig.removePod(first)
  const next = await rig.addPod('next', 1, {})
  const { hello } = await talk(next, vips[4], 80, 30)
  assert.equal(hello.trim(), `shop/server ${station(next).addresses[4]}`)
  assert.deepEqual(offloadedOn(next, 80), [1])
})
