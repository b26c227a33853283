import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Client } from '../client/index.ts'
import type { Ingress, IngressClass } from '../gateways/index.ts'
import { IngressClasses, Ingresses, type Node, Nodes } from '../objects/index.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'

const namespace = 'default'
const apiVersion = 'networking.k8s.io/v1'

let cluster: Cluster
let client: Client

before(async () => {
  cluster = await startCluster({ controllers: ['ingress-status', 'own-objects'] })
  client = cluster.client
  // Nobody has to make Plumb’s own class.
  await until('the class is there', () =>
    client.get<IngressClass>(IngressClasses, undefined, 'plumb').then(
      ({ spec }) => spec?.controller === 'plumb.network/gateway',
      () => false,
    ),
  )
  await client.create<IngressClass>(IngressClasses, ingressClass('other', 'example.com/other'))
  await client.create<Node>(Nodes, readyNode('node-1'))
  await client.create<Node>(Nodes, readyNode('node-2'))
})
after(async () => {
  await cluster.close()
  assert.deepEqual(cluster.troubles, [])
})

function ingressClass(name: string, controller: string): IngressClass {
  return { apiVersion, kind: 'IngressClass', metadata: { name }, spec: { controller } }
}

function ingress(name: string, ingressClassName: string): Ingress {
  const backend = { service: { name: 'web', port: { number: 80 } } }
  return {
    apiVersion,
    kind: 'Ingress',
    metadata: { name, namespace },
    spec: { ingressClassName, defaultBackend: backend },
  }
}

async function entries(name: string): Promise<string[]> {
  const { status } = await client.get<Ingress>(Ingresses, namespace, name)
  return (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '')
}

const tells = (name: string, ...expected: string[]) =>
  until(`${name} tells ${expected}`, async () => String(await entries(name)) === String(expected))

async function setClass(name: string, ingressClassName: string): Promise<void> {
  await client.patch(Ingresses, namespace, name, 'merge', { spec: { ingressClassName } })
}

function setNode(name: string, status: Node['status']): Promise<Node> {
  return client.patch<Node>(Nodes, undefined, name, 'merge', { status }, { subresource: 'status' })
}

test('an Ingress of ours tells the addresses of the nodes that are ready, and follows them', async () => {
  await client.create(Ingresses, ingress('web', 'plumb'))
  await tells('web', '172.30.0.11', '172.30.0.12')
  const written = await client.get<Ingress>(Ingresses, namespace, 'web')
  await setNode('node-2', { conditions: [{ type: 'Ready', status: 'Unknown' }] })
  await tells('web', '172.30.0.11')
  const addresses: NonNullable<Node['status']>['addresses'] = [
    { type: 'InternalIP', address: '172.30.0.12' },
    { type: 'ExternalIP', address: '203.0.113.12' },
    { type: 'ExternalIP', address: '2001:db8::12' },
    { type: 'Hostname', address: 'node-2' },
  ]
  await setNode('node-2', { addresses, conditions: [{ type: 'Ready', status: 'True' }] })
  await tells('web', '172.30.0.11', '2001:db8::12', '203.0.113.12')
  const label = 'node.kubernetes.io/exclude-from-external-load-balancers'
  await client.patch(Nodes, undefined, 'node-2', 'merge', { metadata: { labels: { [label]: '' } } })
  await tells('web', '172.30.0.11')
  await client.patch(Nodes, undefined, 'node-2', 'merge', { metadata: { labels: { [label]: null } } })
  await tells('web', '172.30.0.11', '2001:db8::12', '203.0.113.12')
  const { metadata } = await client.get<Ingress>(Ingresses, namespace, 'web')
  assert.equal(metadata.generation, written.metadata.generation, 'only the status was written')
})

test('a status that is right already is not written again', async () => {
  const before = await client.get<Ingress>(Ingresses, namespace, 'web')
  // Heartbeats change nodes; what comes after them in the queue has seen them.
  await setNode('node-1', { conditions: [{ type: 'Ready', status: 'True', message: 'still' }] })
  await client.patch(IngressClasses, undefined, 'plumb', 'merge', { metadata: { labels: { again: 'yes' } } })
  await client.create(Ingresses, ingress('later', 'plumb'))
  await tells('later', '172.30.0.11', '2001:db8::12', '203.0.113.12')
  const after = await client.get<Ingress>(Ingresses, namespace, 'web')
  assert.equal(after.metadata.resourceVersion, before.metadata.resourceVersion)
})

test('it is cleared when the Ingress or its class becomes somebody else’s, and what others wrote stays', async () => {
  await setClass('web', 'other')
  await tells('web')
  await client.create(Ingresses, ingress('foreign', 'other'))
  const status = { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } }
  const options = { subresource: 'status', fieldManager: 'other-controller' }
  await client.patch(Ingresses, namespace, 'foreign', 'merge', { status }, options)
  // The class is gone, so nobody serves it: ours goes, the other one's does not.
  await client.delete(IngressClasses, undefined, 'plumb')
  await tells('later')
  await client.delete(IngressClasses, undefined, 'other')
  await client.create<IngressClass>(IngressClasses, ingressClass('plumb', 'plumb.network/gateway'))
  await tells('later', '172.30.0.11', '2001:db8::12', '203.0.113.12')
  assert.deepEqual(await entries('foreign'), ['lb.example'])
})

test('what another controller wrote over ours is its own', async () => {
  await setClass('web', 'plumb')
  await tells('web', '172.30.0.11', '2001:db8::12', '203.0.113.12')
  await cluster.stopControllers()
  await setClass('web', 'other')
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }
  const options = { subresource: 'status', fieldManager: 'other-controller' }
  await client.patch(Ingresses, namespace, 'web', 'merge', { status }, options)
  await setClass('later', 'other')
  const { startControllers } = await import('./index.ts')
  const again = await startControllers({ client: cluster.connect(), options: { controllers: ['ingress-status'] } })
  try {
    // Written before the restart and remembered by the server alone.
    await tells('later')
    assert.deepEqual(await entries('web'), ['192.0.2.1'])
  } finally {
    await again.close()
  }
})
