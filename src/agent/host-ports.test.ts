import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Pod } from '../objects/index.ts'
import type { Agent } from './index.ts'
import { askTcp, buildRig, nodeObject, Objects, quietLog, type Rig, serveTcp, startOnRig } from './rig.fixture.ts'

const loopback = parseAddress('127.0.0.1')
const closing: { close(): void }[] = []
let rig: Rig
let objects: Objects
let agent: Agent

/** A pod of the node that listens on 8080. */
function pod(name: string, which: 0 | 1, port: object): Pod {
  const station = rig.backends[which]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 8080, ...port }] }] },
    status: { phase: 'Running', podIPs: [{ ip: station.addresses[4] }, { ip: station.addresses[6] }] },
  } as Pod
}

before(async () => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  for (const station of rig.backends)
    for (const family of [4, 6] as const) closing.push(serveTcp(station, family, 8080))
  agent = await startOnRig(rig, objects, quietLog(), { hostPorts: true })
  await agent.ready
})
after(async () => {
  await agent.stop()
  for (const one of closing) one.close()
  rig.close()
})

test('a host port answers at every address of the node, from outside, from the node and from the pod itself', async () => {
  const { outsider, nodeAddresses, node, backends } = rig
  assert.equal(await askTcp(outsider.namespace, nodeAddresses[4], 8000), 'ECONNREFUSED')
  objects.put(pod('one', 0, { hostPort: 8000 }))
  await agent.settled()
  for (const family of [4, 6] as const) {
    const seen = `backend-1 ${outsider.addresses[family]}`
    assert.equal(await askTcp(outsider.namespace, nodeAddresses[family], 8000), seen, 'the client is seen as it is')
    assert.match(await askTcp(node, nodeAddresses[family], 8000), /^backend-1 /)
    assert.match(await askTcp(backends[0].namespace, nodeAddresses[family], 8000), /^backend-1 /, 'itself')
  }
  assert.match(await askTcp(node, loopback, 8000), /^backend-1 /)
})

test('with hostIP it answers there alone, and two pods share a number', async () => {
  const { outsider, nodeAddresses, node } = rig
  objects.put(pod('one', 0, { hostPort: 8000, hostIP: '127.0.0.1' }))
  objects.put(pod('two', 1, { hostPort: 8000, hostIP: nodeAddresses[4] }))
  await agent.settled()
  assert.match(await askTcp(node, loopback, 8000), /^backend-1 /)
  assert.match(await askTcp(outsider.namespace, nodeAddresses[4], 8000), /^backend-2 /)
  assert.equal(await askTcp(outsider.namespace, nodeAddresses[6], 8000), 'ECONNREFUSED')
})

test('the rules can be listed and loaded again; when the pods go nothing is left', async () => {
  const list = () => rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })).stdout
  const listed = list()
  assert.match(listed, /127\.0\.0\.1 \. tcp \. 8000/)
  const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: listed, encoding: 'utf8' })
  assert.equal(again.status, 0, again.stderr)
  objects.delete('Pod', 'default/one')
  objects.delete('Pod', 'default/two')
  await agent.settled()
  assert.doesNotMatch(list(), /plumb-hostports/)
  assert.equal(await askTcp(rig.outsider.namespace, rig.nodeAddresses[4], 8000), 'ECONNREFUSED')
})
