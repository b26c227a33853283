import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type EndpointSlice,
  EndpointSlices,
  type Endpoints,
  EndpointsKind,
  Events,
  type KubeEvent,
  Nodes,
  type Pod,
  Pods,
  type Service,
  Services,
} from '../objects/index.ts'
import { type Cluster, startCluster, until } from './cluster.fixture.ts'

const namespace = 'default'
let cluster: Cluster

before(async () => {
  const controllers = [
    'endpoints-controller',
    'endpointslice-controller',
    'endpointslice-mirroring-controller',
    'default-scheduler',
  ]
  cluster = await startCluster({ controllers, maxEndpointsPerSlice: 3 }, 2)
})
after(() => cluster.close())

async function slicesOf(service: string): Promise<EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${service}`
  return (await cluster.client.list<EndpointSlice>(EndpointSlices, { namespace, labelSelector })).items
}

async function readyAddresses(service: string): Promise<string[]> {
  const endpoints = (await slicesOf(service)).flatMap((slice) => slice.endpoints)
  return endpoints
    .filter(({ conditions }) => conditions?.ready)
    .flatMap(({ addresses }) => addresses)
    .sort()
}

const service = (name: string, spec: Service['spec']) =>
  cluster.client.create<Service>(Services, { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec })

const pod = (name: string, labels: Record<string, string>) =>
  cluster.client.create<Pod>(Pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: 'main', image: 'x', ports: [{ name: 'http', containerPort: 8080 }] }] },
  })

const endpointsOf = (name: string) => cluster.client.find<Endpoints>(EndpointsKind, namespace, name)

async function addressesOf(name: string): Promise<string[]> {
  return ((await endpointsOf(name))?.subsets ?? [])
    .flatMap((s) => s.addresses ?? [])
    .map(({ ip }) => ip)
    .sort()
}

test('slices and Endpoints follow pods: ready, unlabelled, unready, deleted', async () => {
  await service('web', { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] })
  await until('a placeholder', async () => (await slicesOf('web')).length === 1)
  const [placeholder] = await slicesOf('web')
  for (let i = 0; i < 7; i++) await pod(`web-${i}`, { app: 'web' })
  await until(
    '7 endpoints',
    async () => (await readyAddresses('web')).length === 7 && (await addressesOf('web')).length === 7,
  )
  assert.deepEqual(await addressesOf('web'), await readyAddresses('web'))
  const slices = await slicesOf('web')
  assert.ok(slices.every(({ endpoints }) => endpoints.length <= 3))
  assert.ok(
    slices.some(({ metadata }) => metadata.name === placeholder?.metadata.name),
    'the placeholder was used',
  )
  assert.ok(slices.some(({ metadata }) => metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time']))

  await cluster.client.patch(Pods, namespace, 'web-0', 'merge', { metadata: { labels: { app: 'other' } } })
  await until('6 after a label changed', async () => (await readyAddresses('web')).length === 6)
  const status = { status: { conditions: [{ type: 'Ready', status: 'False' }] } }
  await cluster.client.patch(Pods, namespace, 'web-1', 'merge', status, { subresource: 'status' })
  await until('5 after one is not ready', async () => (await readyAddresses('web')).length === 5)
  await cluster.client.delete(Pods, namespace, 'web-2')
  await until(
    '4 after a deletion, in both',
    async () => (await readyAddresses('web')).length === 4 && (await addressesOf('web')).length === 4,
  )
})

test('what others do to slices and Endpoints is put right', async () => {
  await service('own', { selector: { app: 'own' }, ports: [{ port: 80 }] })
  await pod('own-0', { app: 'own' })
  await until(
    'an endpoint',
    async () => (await readyAddresses('own')).length === 1 && (await addressesOf('own')).length === 1,
  )
  const [slice] = await slicesOf('own')
  await cluster.client.delete(EndpointSlices, namespace, slice!.metadata.name)
  await cluster.client.delete(EndpointsKind, namespace, 'own')
  await until(
    'both again',
    async () => (await readyAddresses('own')).length === 1 && (await addressesOf('own')).length === 1,
  )
  await cluster.client.patch(EndpointsKind, namespace, 'own', 'merge', { subsets: [] })
  const [again] = await slicesOf('own')
  await cluster.client.patch(EndpointSlices, namespace, again!.metadata.name, 'merge', { endpoints: [] })
  await until(
    'the contents again',
    async () => (await readyAddresses('own')).length === 1 && (await addressesOf('own')).length === 1,
  )
})

test('Endpoints by hand are mirrored, and may come before their Service; they go with it', async () => {
  const ports = [{ port: 5432 }]
  await cluster.client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'manual', namespace },
    subsets: [{ addresses: [{ ip: '192.0.2.7' }], ports }],
  })
  await service('manual', { ports })
  await until('a mirror', async () => (await readyAddresses('manual')).join() === '192.0.2.7')
  await cluster.client.patch(EndpointsKind, namespace, 'manual', 'merge', {
    subsets: [{ addresses: [{ ip: '192.0.2.8' }], ports }],
  })
  await until('the mirror follows', async () => (await readyAddresses('manual')).join() === '192.0.2.8')
  assert.equal((await slicesOf('manual')).length, 1)
  await cluster.client.delete(Services, namespace, 'manual')
  await until(
    'all gone',
    async () => (await slicesOf('manual')).length === 0 && (await endpointsOf('manual')) === undefined,
  )
})

test('a settled cluster is quiet: nothing is written again, and nothing failed', async () => {
  const version = async () => (await cluster.client.list(EndpointSlices, {})).metadata.resourceVersion
  let last = await version()
  let same = 0
  await until('20 looks without a write', async () => {
    const now = await version()
    same = now === last ? same + 1 : 0
    last = now
    return same >= 20
  })
  assert.deepEqual(cluster.troubles, [])
})

test('topology mode Auto: hints when the nodes tell zone and CPU, none when a zone is lost, each told by an event', async () => {
  const { client } = cluster
  const annotations = { 'service.kubernetes.io/topology-mode': 'Auto' }
  const spec: Service['spec'] = { selector: { app: 'zoned' }, ports: [{ port: 80 }] }
  await client.create(Services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'zoned', namespace, annotations },
    spec,
  })
  for (let i = 0; i < 4; i++) await pod(`zoned-${i}`, { app: 'zoned' })
  const told = async () =>
    (await client.list<KubeEvent>(Events, { namespace })).items.flatMap(({ involvedObject, reason, message }) =>
      involvedObject.name === 'zoned' ? [`${reason}: ${message}`] : [],
    )
  const hinted = async () => {
    const endpoints = (await slicesOf('zoned')).flatMap((slice) => slice.endpoints)
    return endpoints
      .map(({ hints }) => hints?.forZones?.[0]?.name ?? '')
      .sort()
      .join()
  }
  const insufficient = 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes'
  await until('no hints, and why', async () =>
    (await told()).includes(`TopologyAwareHintsDisabled: ${insufficient}, addressType: IPv4`),
  )
  for (const [name, zone] of [
    ['node-1', 'a'],
    ['node-2', 'b'],
  ] as const) {
    await client.patch(Nodes, undefined, name, 'merge', {
      metadata: { labels: { 'topology.kubernetes.io/zone': zone } },
    })
    await client.patch(
      Nodes,
      undefined,
      name,
      'merge',
      { status: { allocatable: { cpu: '2' } } },
      { subresource: 'status' },
    )
  }
  await until('half of the endpoints for each zone', async () => (await hinted()) === 'a,a,b,b')
  await until('it is told', async () =>
    (await told()).includes('TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4'),
  )
  const conditions = [{ type: 'Ready', status: 'False' }]
  await client.patch(Nodes, undefined, 'node-2', 'merge', { status: { conditions } }, { subresource: 'status' })
  await until('no hints any more', async () => (await hinted()) === ',,,')
})
