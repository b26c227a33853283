import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiError, type Client, type Resource } from '../client/index.ts'
import {
  type Egress,
  Events,
  type IPAddressPool,
  type KubeEvent,
  type KubeObject,
  type Node,
  Nodes,
} from '../objects/index.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'
import { ipAddressPools } from './external-addresses.ts'
import { startControllers } from './index.ts'

const options = { controllers: ['egress-addresses', 'egress-index'] }
const egresses: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'egresses',
  namespaced: false,
  kind: 'Egress',
}
let cluster: Cluster
let client: Client

before(async () => {
  cluster = await startCluster(options)
  client = cluster.client
  await client.create<Node>(Nodes, readyNode('node-1'))
})
after(async () => {
  await cluster.close()
  assert.deepEqual(cluster.troubles, [])
})

const egress = (name: string, spec: Partial<Egress['spec']>): Egress => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'Egress',
  metadata: { name },
  spec: { appliedTo: { podSelector: {} }, ...spec },
})
const pool = (name: string, addresses: string[]): IPAddressPool => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'IPAddressPool',
  metadata: { name },
  spec: { addresses, usage: ['Egress'] } as IPAddressPool['spec'],
})
const statusOf = async (name: string) => (await client.get<Egress>(egresses, undefined, name)).status
const has = (name: string, expected: string) =>
  until(`${name} has ${expected}`, async () => ((await statusOf(name))?.egressIPs ?? []).join() === expected)
const indexOf = async (name: string) =>
  (await client.get<Node>(Nodes, undefined, name)).metadata.annotations?.['plumb.network/egress-index']

test('every Node gets an index of its own, keeps it, and leaves it free when it goes', async () => {
  await until('node-1 is 0', async () => (await indexOf('node-1')) === '0')
  await Promise.all(['node-2', 'node-3', 'node-4'].map((name) => client.create<Node>(Nodes, readyNode(name))))
  const read = () => Promise.all(['node-1', 'node-2', 'node-3', 'node-4'].map(indexOf))
  await until('all have one', async () => (await read()).every((index) => index !== undefined))
  assert.deepEqual((await read()).sort(), ['0', '1', '2', '3'])
  const freed = await indexOf('node-3')
  await client.delete(Nodes, undefined, 'node-3')
  await client.create<Node>(Nodes, readyNode('node-5'))
  await until('node-5 has the free one', async () => (await indexOf('node-5')) === freed)
})

test('addresses come out of pools, or are those of the spec, and are told with conditions and events', async () => {
  await client.create(egresses, egress('pooled', { externalIPPool: 'p' }))
  await until('it is told why not', async () => (await statusOf('pooled'))?.conditions?.[0]?.status === 'False')
  await client.create(ipAddressPools, pool('p', ['203.0.113.1-203.0.113.2']))
  await client.create(ipAddressPools, pool('q', ['203.0.113.9/32']))
  await has('pooled', '203.0.113.1')
  await client.create(egresses, egress('both', { externalIPPools: ['p', 'q'] }))
  await has('both', '203.0.113.2,203.0.113.9')
  await client.create(egresses, egress('fixed', { egressIPs: ['198.51.100.7', '198.51.100.8'] }))
  await has('fixed', '198.51.100.7,198.51.100.8')
  await client.create(egresses, egress('late', { externalIPPool: 'p' }))
  await until('late is told', async () =>
    /no available|in use/.test((await statusOf('late'))?.conditions?.[0]?.message ?? ''),
  )
  const { items } = await client.list<KubeEvent>(Events, { fieldSelector: 'involvedObject.name=both' })
  assert.ok(items.some(({ message }) => message === 'Assigned IP ["203.0.113.2","203.0.113.9"]'))
  await client.delete(egresses, undefined, 'pooled')
  await has('late', '203.0.113.1')
})

test('addresses stay over a restart; a pool that goes takes its addresses along', async () => {
  await cluster.stopControllers()
  await client.create(egresses, egress('a-new', { externalIPPool: 'q' }))
  const again = await startControllers({ client: cluster.connect(), options })
  try {
    await until('a-new is told', async () => (await statusOf('a-new'))?.conditions?.[0]?.status === 'False')
    assert.equal((await statusOf('both'))?.egressIPs?.join(), '203.0.113.2,203.0.113.9')
    await client.delete(ipAddressPools, undefined, 'q')
    await has('both', '203.0.113.2')
  } finally {
    await again.close()
  }
})

test('what the schema refuses', async () => {
  const bad: [string, Record<string, unknown>][] = [
    ['give egressIP or egressIPs, not both', { egressIP: '192.0.2.1', egressIPs: ['192.0.2.2'] }],
    ['give an egressIP, or an externalIPPool', {}],
    ['write an IPv4 or an IPv6 address', { egressIP: '192.0.2' }],
    ['write a prefix', { egressIP: '192.0.2.1', destinationCIDRs: ['192.0.2.1'] }],
    ['give a podSelector', { egressIP: '192.0.2.1', appliedTo: {} }],
    ['perPod must not exceed', { egressIP: '192.0.2.1', ports: { perNode: 64, perPod: 128 } }],
    ['write bits', { egressIP: '192.0.2.1', bandwidth: { rate: 'fast' } }],
    ['onUnavailable', { egressIP: '192.0.2.1', onUnavailable: 'Maybe' }],
  ]
  for (const [says, spec] of bad) {
    await assert.rejects(
      client.create(egresses, egress('bad', spec as never) as KubeObject),
      (error) => error instanceof ApiError && error.code === 422 && error.message.includes(says),
      says,
    )
  }
})
