import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiError, type Client } from '../client/index.ts'
import {
  Events,
  type IPAddressPool,
  type KubeEvent,
  type KubeObject,
  type Node,
  Nodes,
  type Service,
  Services,
} from '../objects/index.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'
import { ipAddressPools } from './external-addresses.ts'
import { startControllers } from './index.ts'

const namespace = 'default'
const options = { controllers: ['loadbalancer-addresses'] }

let cluster: Cluster
let client: Client

before(async () => {
  cluster = await startCluster(options)
  client = cluster.client
})
after(async () => {
  await cluster.close()
  assert.deepEqual(cluster.troubles, [])
})

function pool(name: string, addresses: string[]): IPAddressPool {
  return { apiVersion: 'plumb.network/v1alpha1', kind: 'IPAddressPool', metadata: { name }, spec: { addresses } }
}

function service(name: string, spec: Partial<Service['spec']> = {}): Service {
  const ports = [{ port: 80, protocol: 'TCP' as const }]
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { type: 'LoadBalancer', ports, ...spec },
  }
}

async function addresses(name: string): Promise<string> {
  const { status } = await client.get<Service>(Services, namespace, name)
  return (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(' ')
}

const has = (name: string, expected: string) =>
  until(`${name} has ${expected}`, async () => (await addresses(name)) === expected)

async function condition(name: string): Promise<string> {
  const { status } = await client.get<Service>(Services, namespace, name)
  const { reason = '', message = '' } = status?.conditions?.find(({ type }) => type.startsWith('plumb.network/')) ?? {}
  return `${reason}: ${message}`
}

async function poolCondition(name: string): Promise<string> {
  const { status } = await client.get<IPAddressPool>(ipAddressPools, undefined, name)
  return `${status?.conditions?.[0]?.reason} ${status?.assignedIPv4}/${status?.availableIPv4}`
}

async function eventsOf(name: string): Promise<string[]> {
  const { items } = await client.list<KubeEvent>(Events, { fieldSelector: `involvedObject.name=${name}` })
  return items.map(({ reason, message }) => `${reason}: ${message}`)
}

test('Services get addresses when there is a pool, and give them back', async () => {
  await client.create(Services, service('a'))
  await until('a is told why not', async () => (await condition('a')).startsWith('NoPool: no pool gives addresses'))
  await client.create(ipAddressPools, pool('p', ['192.0.2.1-192.0.2.2']))
  await has('a', '192.0.2.1')
  assert.equal(await condition('a'), 'Assigned: out of pool "p"')
  await client.create(Services, service('b'))
  await client.create(Services, service('c'))
  await has('b', '192.0.2.2')
  await until('the pool tells it', async () => (await poolCondition('p')) === 'Exhausted 2/0')
  await until('c is told', async () =>
    (await eventsOf('c')).some((text) =>
      text.startsWith('AllocationFailed: Failed to allocate IP for "default/c": spec.type: no available IPs'),
    ),
  )
  assert.ok((await eventsOf('b')).includes('IPAllocated: Assigned IP ["192.0.2.2"]'))
  await client.delete(Services, namespace, 'a')
  await has('c', '192.0.2.1')
  await client.patch(Services, namespace, 'c', 'merge', { spec: { type: 'ClusterIP' } })
  await has('c', '')
  await until('the pool tells it', async () => (await poolCondition('p')) === 'Ready 1/1')
})

test('addresses stay over a restart of the controllers, also when an older Service came meanwhile', async () => {
  await client.create(Services, service('d'))
  await has('d', '192.0.2.1')
  await cluster.stopControllers()
  await client.delete(Services, namespace, 'b')
  await client.create(Services, service('a0'))
  const again = await startControllers({ client: cluster.connect(), options })
  try {
    await has('a0', '192.0.2.2')
    assert.equal(await addresses('d'), '192.0.2.1')
    assert.equal((await eventsOf('d')).filter((text) => text.startsWith('IPAllocated')).length, 1)
    await client.patch(ipAddressPools, undefined, 'p', 'merge', {
      spec: { addresses: ['192.0.2.2/32', '198.51.100.9/32'] },
    })
    await has('d', '198.51.100.9')
    assert.ok((await eventsOf('d')).includes('ClearAssignment: 192.0.2.1 is no longer assigned'))
    assert.equal(await addresses('a0'), '192.0.2.2')
    await client.delete(ipAddressPools, undefined, 'p')
    await has('d', '')
    await has('a0', '')
  } finally {
    await again.close()
  }
})

test('a pool that overlaps, or contains a node, gives nothing and says why; nonsense is refused', async () => {
  const again = await startControllers({ client: cluster.connect(), options })
  try {
    await client.create<Node>(Nodes, readyNode('node-1'))
    await client.create(ipAddressPools, pool('older', ['192.0.2.0/28']))
    await client.create(ipAddressPools, pool('wide', ['172.30.0.0/24']))
    await until('wide is refused', async () => (await poolCondition('wide')).startsWith('InUseByCluster'))
    await until('older serves', async () => (await poolCondition('older')).startsWith('Ready'))
    await client.create(ipAddressPools, pool('z-younger', ['192.0.2.8/29']))
    await until('the younger is refused', async () => (await poolCondition('z-younger')).startsWith('Overlaps'))
    for (const spec of [
      { addresses: ['172.30.0'] },
      { addresses: [] },
      { addresses: ['10.0.0.0/8'], usage: ['Other'] },
    ]) {
      const object = { ...pool('bad', []), spec } as KubeObject
      await assert.rejects(
        client.create(ipAddressPools, object),
        (error) => error instanceof ApiError && error.code === 422,
      )
    }
  } finally {
    await again.close()
  }
})

test('what a cloud’s controller wrote stays', async () => {
  await client.create(Services, service('cloud', { loadBalancerClass: 'example.com/cloud' }))
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.200' }] } }
  await client.patch(
    Services,
    namespace,
    'cloud',
    'merge',
    { status },
    { subresource: 'status', fieldManager: 'cloud' },
  )
  const again = await startControllers({ client: cluster.connect(), options })
  try {
    await client.create(Services, service('last'))
    await has('last', '192.0.2.2')
    assert.equal(await addresses('cloud'), '203.0.113.200')
  } finally {
    await again.close()
  }
})
